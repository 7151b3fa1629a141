//! `doctor`: what this machine has, and whether the addresses of all cards still lead somewhere.

use std::collections::BTreeMap;

use segbench_datasets::LoginSite;
use segbench_fetch::{CITYSCAPES_SITE, Client, Probe, RAR_TOOLS, Retry, Settings, in_parallel, rar_tool};
use segbench_pipeline::{Project, find_login};
use segbench_tables::Table;
use segbench_types::{ErrorKind, Progress as _};

use super::{list, project};
use crate::arguments::Global;
use crate::console::Console;
use crate::failure::Failure;

/// Addresses asked at the same time.
const AT_ONCE: usize = 8;
/// How long a host may take to answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

pub(crate) fn doctor(sources: bool, global: &Global, console: &Console) -> Result<(), Failure> {
    let project = project(global, "reports".as_ref(), "auto")?;
    if sources { check_sources(&project, console) } else { describe(&project, console) }
}

/// What there is, as a table.
fn describe(project: &Project, console: &Console) -> Result<(), Failure> {
    let login = match find_login(LoginSite::Cityscapes, &Project { ask_login: None, ..project.clone() }) {
        Ok(Some(_)) => "given".to_owned(),
        Ok(None) => "not given (CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD)".to_owned(),
        Err(err) => err.to_string(),
    };
    let rar = rar_tool().map_or(format!("none of {}", RAR_TOOLS.join(", ")), str::to_owned);
    let prepared = project.root.join("prepared");
    let prepared = if prepared.is_dir() { segbench_storage::list_dir(&prepared)? } else { Vec::new() };
    let prepared: Vec<String> = prepared
        .iter()
        .filter(|path| path.join("dataset.yaml").is_file())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let rows = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("device", project.device.clone()),
        ("threads", rayon::current_num_threads().to_string()),
        ("data folder", project.root.display().to_string()),
        ("prepared data sets", if prepared.is_empty() { "none".to_owned() } else { prepared.join(", ") }),
        ("weights", format!("{} with a tag", project.weights().list()?.len())),
        ("program that reads rar", rar),
        ("login for Cityscapes", login),
    ];
    let (what, found) = rows.into_iter().map(|(what, found)| (Some(what.to_owned()), Some(found))).unzip();
    print(Table::new().text("what", what).text("found", found), console);
    Ok(())
}

/// An address of a card.
struct Address {
    url: String,
    /// What needs it: a data set and its file, or a checkpoint.
    what: String,
    /// Published size.
    bytes: Option<u64>,
    /// Whether it leads to a page instead of a file.
    is_page: bool,
}

/// Asks every address, prints what each answered, and fails if one does not lead to its file.
fn check_sources(project: &Project, console: &Console) -> Result<(), Failure> {
    if project.is_offline {
        return Err(Failure::usage("`--offline` forbids to ask any address", "leave one of the two out"));
    }
    let settings = Settings { stall: PATIENCE, retry: Retry::default(), ..project.fetch_settings() };
    let client = Client::new(settings)?;
    let addresses = addresses();
    let task = console.start("addresses", addresses.len() as u64);
    let answers = in_parallel(&addresses, AT_ONCE, |address| {
        let answer = client.probe(&address.url);
        task.advance(1);
        answer
    });
    drop(task);
    let verdict = |(address, answer): (&Address, &Result<Probe, _>)| match answer {
        Ok(probe) => judge(address, *probe),
        Err(segbench_fetch::Error::Unreachable { reason, .. }) => format!("no answer: {reason}"),
        Err(err) => err.to_string(),
    };
    let verdicts: Vec<String> = addresses.iter().zip(&answers).map(verdict).collect();
    let probe = |value: fn(&Probe) -> Option<u64>| {
        answers.iter().map(|answer| answer.as_ref().ok().and_then(value)).collect()
    };
    let text = |value: fn(&Address) -> &str| {
        addresses.iter().map(|address| Some(value(address).to_owned())).collect()
    };
    let table = Table::new()
        .text("what", text(|address| &address.what))
        .text("address", text(|address| &address.url))
        .integer("status", probe(|probe| Some(probe.status.into())))
        .integer("bytes", probe(|probe| probe.bytes))
        .text("verdict", verdicts.iter().cloned().map(Some).collect());
    print(table, console);
    let (failed, all) = (verdicts.iter().filter(|verdict| *verdict != OK).count(), addresses.len());
    if failed == 0 {
        console.note(&format!("all {all} addresses lead to their files"));
        return Ok(());
    }
    if answers.iter().all(Result::is_err) {
        let message = format!("no network: none of {all} addresses answered ({})", verdicts[0]);
        let help = "check the network and the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`";
        return Err(Failure::new(ErrorKind::Download, message, help));
    }
    let help = "name a mirror under `addresses` in pipeline.yaml, or files that you have with `--source`";
    let message = format!("{failed} of {all} addresses do not lead to their files");
    Err(Failure::new(ErrorKind::Download, message, help))
}

/// Verdict on an address that leads to its file.
const OK: &str = "ok";

fn judge(address: &Address, probe: Probe) -> String {
    if !probe.is_success() {
        return format!("answered {}", probe.status);
    }
    if probe.is_page && !address.is_page {
        return "leads to a web page".to_owned();
    }
    match (address.bytes, probe.bytes) {
        (Some(expected), Some(got)) if expected != got => format!("has {got} bytes, expected {expected}"),
        _ => OK.to_owned(),
    }
}

/// Every address once, sorted by what needs it.
fn addresses() -> Vec<Address> {
    let mut all: BTreeMap<String, Address> = BTreeMap::new();
    let mut add = |address: Address| {
        all.entry(address.url.clone()).or_insert(address);
    };
    for card in segbench_datasets::cards() {
        for file in card.download.iter().flat_map(|download| &download.files) {
            let what = format!("{}: {}", card.name, file.file);
            for url in &file.urls {
                add(Address { url: url.clone(), what: what.clone(), bytes: file.size, is_page: false });
            }
            if file.package.is_some() {
                // Behind the login nothing can be asked without one.
                let what = format!("{}: login", card.name);
                add(Address { url: format!("{CITYSCAPES_SITE}/login"), what, bytes: None, is_page: true });
            }
        }
    }
    for (_, source) in list::published() {
        let what = format!("weights {}", source.tag);
        add(Address { url: source.url.to_owned(), what, bytes: None, is_page: false });
    }
    let mut all: Vec<Address> = all.into_values().collect();
    all.sort_by(|a, b| (&a.what, &a.url).cmp(&(&b.what, &b.url)));
    all
}

fn print(table: Table, console: &Console) {
    if console.is_json() {
        console.json(&table);
    } else {
        console.data(&table.to_markdown());
    }
}
