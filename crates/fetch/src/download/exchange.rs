//! One request and what comes of it.

use std::io::Read;
use std::path::Path;

use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use segbench_types::{Progress, Task};

use super::answer::{ContentRange, Failure, Validators, is_page, shown};
use super::client::Door;
use super::part::Part;
use crate::{Error, space};

/// The bar of a download. It begins anew when the download does.
pub(super) struct Meter<'a> {
    progress: &'a dyn Progress,
    name: String,
    task: Option<Box<dyn Task + 'a>>,
    shown: u64,
}

impl<'a> Meter<'a> {
    pub(super) fn new(progress: &'a dyn Progress, file: &Path) -> Self {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { progress, name, task: None, shown: 0 }
    }

    fn start(&mut self, at: u64, total: Option<u64>) {
        if self.task.is_none() || self.shown != at {
            let task = self.progress.start_bytes(&self.name, total.unwrap_or(0));
            task.advance(at);
            self.task = Some(task);
            self.shown = at;
        }
    }

    fn advance(&mut self, bytes: u64) {
        if let Some(task) = &self.task {
            task.advance(bytes);
        }
        self.shown += bytes;
    }
}

/// Asks once for what is missing and adds what comes to the part. Returns when the file is complete, its checksum aside.
pub(super) fn exchange(
    door: &dyn Door,
    url: &str,
    size: Option<u64>,
    folder: &Path,
    part: &mut Part,
    meter: &mut Meter<'_>,
) -> Result<(), Failure> {
    let (offset, if_range) = part.resume(url);
    if offset > 0 && Some(offset) == size {
        return Ok(());
    }
    // Bytes packed for the way would make offsets and sizes mean something else.
    let mut request = door.http().get(url).header(ACCEPT_ENCODING, "identity");
    if offset > 0 {
        request = request.header(RANGE, format!("bytes={offset}-"));
        if let Some(validator) = if_range {
            request = request.header(IF_RANGE, validator);
        }
    }
    let response = request.send().map_err(|err| Failure::of_request(url, err))?;
    if door.is_lost(&response) {
        return Err(Failure::Lost);
    }
    let range = ContentRange::of(response.headers());
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && offset > 0 {
        return beyond_the_end(part, offset, range.and_then(|range| range.total), size);
    }
    if let Some(failure) = Failure::of_status(url, &response) {
        return Err(failure);
    }
    let total = begin(url, &response, size, part, offset, range)?;
    space::require(folder, total.unwrap_or(0).saturating_sub(part.bytes()))?;
    meter.start(part.bytes(), total);
    receive(response, total, part, meter)
}

/// The server has nothing behind the bytes that are there: they are the file, or they are of another one.
fn beyond_the_end(
    part: &mut Part,
    offset: u64,
    total: Option<u64>,
    size: Option<u64>,
) -> Result<(), Failure> {
    if total.or(size) == Some(offset) && size.is_none_or(|size| size == offset) {
        return Ok(());
    }
    part.restart()?;
    Err(Failure::Restarted)
}

/// Decides whether the bytes that follow continue the part or replace it; returns the size of the whole file.
fn begin(
    url: &str,
    response: &Response,
    size: Option<u64>,
    part: &mut Part,
    offset: u64,
    range: Option<ContentRange>,
) -> Result<Option<u64>, Failure> {
    let not_the_file =
        |got: String, expected: String| Failure::Final(Error::NotTheFile { url: shown(url), got, expected });
    if is_page(response.headers()) {
        return Err(not_the_file("a web page".into(), "a file".into()));
    }
    let validators = Validators::of(response.headers());
    let length = response.content_length();
    // Some servers answer 200 and yet send the rest only, which their Content-Range tells.
    let is_partial = response.status() == StatusCode::PARTIAL_CONTENT || range.is_some();
    let mut total = length;
    if is_partial {
        let range = range.unwrap_or(ContentRange { start: None, total: None });
        if offset == 0 && range.start == Some(0) {
            total = range.total.or(length);
        } else if offset > 0 && part.is_continued_by(url, &validators, range) {
            total = range.total.or(length.map(|length| offset.saturating_add(length)));
        } else if offset > 0 {
            part.restart()?;
            return Err(Failure::Restarted);
        } else {
            return Err(not_the_file("a part of the file".into(), "all of it".into()));
        }
    }
    if !is_partial || offset == 0 {
        part.restart()?;
    }
    if let (Some(total), Some(size)) = (total, size)
        && total != size
    {
        return Err(not_the_file(format!("a file of {total} bytes"), format!("{size} bytes")));
    }
    let total = total.or(size);
    part.begin(url, validators, total)?;
    Ok(total)
}

fn receive(
    mut response: Response,
    total: Option<u64>,
    part: &mut Part,
    meter: &mut Meter<'_>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match response.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(err) => {
                let at = part.bytes();
                return Err(Failure::passing(format!("the connection failed after {at} bytes ({err})")));
            }
        };
        if total.is_some_and(|total| part.bytes() + count as u64 > total) {
            part.restart()?;
            return Err(Failure::passing("the server sent more bytes than it announced"));
        }
        part.append(&buffer[..count])?;
        meter.advance(count as u64);
    }
    match total {
        Some(total) if part.bytes() < total => {
            Err(Failure::passing(format!("the connection ended after {} of {total} bytes", part.bytes())))
        }
        _ => Ok(()),
    }
}
