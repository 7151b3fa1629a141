//! `list` and `show`.

use segbench_metrics::METRICS;
use segbench_models::WeightSource;
use segbench_models::zoo::{self, find};
use segbench_tables::Table;
use segbench_types::Protocol;

use super::project;
use crate::arguments::{Global, Listing};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn list(
    what: Listing,
    pattern: Option<&str>,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let (header, rows) = match what {
        Listing::Datasets => datasets(),
        Listing::Models => models(),
        Listing::Losses => losses(),
        Listing::Metrics => metrics(),
        Listing::Protocols => protocols(),
        Listing::Weights => weights(global)?,
    };
    let rows: Vec<Vec<String>> =
        rows.into_iter().filter(|row| pattern.is_none_or(|pattern| matches(pattern, &row[0]))).collect();
    let add = |table: Table, (column, name): (usize, &&str)| {
        table.text(name, rows.iter().map(|row| row.get(column).cloned()).collect())
    };
    let table = header.iter().enumerate().fold(Table::new(), add);
    if console.is_json() {
        console.json(&table)
    } else {
        console.data(&table.to_markdown())
    }
    Ok(())
}

type Rows = (&'static [&'static str], Vec<Vec<String>>);

fn datasets() -> Rows {
    let row = |card: &segbench_datasets::DatasetCard| {
        let login = if card.login { "yes" } else { "no" };
        vec![
            card.name.clone(),
            card.title.clone(),
            login.into(),
            card.download_size.clone(),
            card.licence.clone(),
        ]
    };
    (&["name", "title", "login", "size", "licence"], segbench_datasets::cards().iter().map(row).collect())
}

fn models() -> Rows {
    let row = |model: segbench_models::zoo::Model| {
        let card = model.card();
        vec![model.name(), card.title.to_owned(), card.year.to_string(), card.status.name().to_owned()]
    };
    (&["name", "title", "year", "status"], zoo::models().into_iter().map(row).collect())
}

fn losses() -> Rows {
    let row = |card: &segbench_losses::Card| {
        let text = [card.name, card.title, card.family, card.formula];
        let source_and_options = [card.source.to_owned(), card.defaults().to_string()];
        text.into_iter().map(str::to_owned).chain(source_and_options).collect()
    };
    let header = &["name", "title", "family", "formula", "source", "options"];
    (header, segbench_losses::LOSSES.iter().map(row).collect())
}

fn metrics() -> Rows {
    let row = |metric: &segbench_metrics::Metric| {
        [metric.key, metric.symbol, metric.title, metric.formula].map(str::to_owned).to_vec()
    };
    (&["name", "symbol", "title", "formula"], METRICS.iter().map(row).collect())
}

fn protocols() -> Rows {
    let row = |protocol: Protocol| {
        let parts = protocol.inference.parts().into_iter().map(|(_, part)| part);
        [protocol.name, protocol.description].into_iter().chain(parts).collect()
    };
    let columns = &["name", "what", "image to input", "alignment", "windows", "views", "logits to labels"];
    (columns, Protocol::all().into_iter().map(row).collect())
}

/// Every published checkpoint with the model that it fits, sorted by tag.
pub(super) fn published() -> Vec<(zoo::Model, WeightSource)> {
    let of = |model: zoo::Model| {
        let fits = move |source: &&WeightSource| source.preset == model.preset();
        let sources = model.card().weights.iter().filter(fits).copied();
        sources.map(move |source| (model, source))
    };
    let mut all: Vec<_> = zoo::models().into_iter().flat_map(of).collect();
    all.sort_by_key(|(_, source)| source.tag);
    all
}

fn weights(global: &Global) -> Result<Rows, Failure> {
    let stored = project(global, "reports".as_ref(), "cpu")?.weights().list()?;
    let to_fetch =
        published().into_iter().filter(|(_, source)| stored.iter().all(|card| card.tag != source.tag));
    let to_fetch: Vec<Vec<String>> = to_fetch
        .map(|(model, source)| {
            let place = format!("to fetch from {}", source.url);
            vec![source.tag.to_owned(), model.name(), source.dataset.to_owned(), String::new(), place]
        })
        .collect();
    let row = |card: segbench_pipeline::StoredWeights| {
        let dataset = card.training.map_or_else(String::new, |training| training.dataset);
        let place = card.path.map_or("part of segbench".to_owned(), |path| path.display().to_string());
        vec![card.tag, card.model, dataset, card.sha256[..12].to_owned(), place]
    };
    let rows = stored.into_iter().map(row).chain(to_fetch).collect();
    Ok((&["tag", "model", "trained on", "sha256", "file"], rows))
}

/// Whether `name` is like `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

pub(crate) fn show(model: &str, console: &Console) -> Result<(), Failure> {
    let preset = find(model)?;
    let card = preset.card();
    let mut lines = vec![
        format!("{} — {} ({})", preset.name(), card.title, card.year),
        format!("paper       {}", card.paper_url),
        format!("status      {}", card.status.name()),
        format!("parameters  {} (19 classes)", preset.inventory(preset.spec(19))?.parameters()),
    ];
    for reference in card.references {
        lines.push(format!("reference   {}: {}", reference.project, reference.path));
    }
    for weights in card.weights.iter().filter(|weights| weights.preset == preset.preset()) {
        let score = weights
            .published
            .map_or(String::new(), |published| format!(", published mIoU {}", published.miou));
        lines.push(format!("weights     {} ({}{score})", weights.tag, weights.dataset));
    }
    lines.push(format!("settings    {}", serde_json::to_string_pretty(&preset.config()).unwrap_or_default()));
    console.data(&lines.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_without_one_the_name_must_be_equal() {
        for (pattern, name, expected) in [
            ("*former*", "segformer-b0", true),
            ("seg*-b?", "segformer-b0", false),
            ("seg*b0", "segformer-b0", true),
            ("segformer", "segformer-b0", false),
            ("*", "anything", true),
            ("b0*", "segformer-b0", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
