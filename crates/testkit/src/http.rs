//! A web server on this machine, which serves what a test wants and breaks where a test wants.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a client asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What was posted.
    pub body: String,
}

impl HttpRequest {
    /// A header, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// First byte of the range that was asked for.
    pub fn range_start(&self) -> Option<usize> {
        self.header("range").strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What the server answers.
#[derive(Debug, Clone, Default)]
pub struct HttpReply {
    /// Status.
    pub status: u16,
    /// Headers besides `Connection` and, unless it is given here, `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// All of the body, as `Content-Length` announces it.
    pub body: Vec<u8>,
    /// How many bytes of the body are sent before the connection ends. `None`: all.
    pub cut_at: Option<usize>,
    /// How long the server is silent in front of that end.
    pub silence: Duration,
    /// Bytes sent at once and the time between two such pieces. `None`: everything at once.
    pub trickle: Option<(usize, Duration)>,
}

impl HttpReply {
    /// A body with a status.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same, ending after `bytes` of the body.
    #[must_use]
    pub fn cut(mut self, bytes: usize) -> Self {
        self.cut_at = Some(bytes);
        self
    }

    /// A file of which clients may ask for the rest, as servers of files answer: 206 with the rest, 200 with all if the version is
    /// another than that of `If-Range`, 416 behind the end.
    pub fn file(request: &HttpRequest, bytes: &[u8], etag: &str) -> Self {
        let is_same = request.headers.get("if-range").is_none_or(|version| version == etag);
        let reply = match request.range_start().filter(|_| is_same) {
            None => Self::new(200, bytes),
            Some(start) if start >= bytes.len() => {
                Self::new(416, "").with("Content-Range", format!("bytes */{}", bytes.len()))
            }
            Some(start) => Self::new(206, &bytes[start..])
                .with("Content-Range", format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len())),
        };
        if etag.is_empty() { reply } else { reply.with("ETag", etag) }
    }
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct HttpServer {
    address: String,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
    is_over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts a server that answers every request with what `answer` returns for it and for the number of requests before it.
    ///
    /// # Panics
    /// If this machine has no free port.
    pub fn start(answer: impl Fn(&HttpRequest, usize) -> HttpReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let requests: Arc<Mutex<Vec<HttpRequest>>> = Arc::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let (seen, over, answer) = (Arc::clone(&requests), Arc::clone(&is_over), Arc::new(answer));
        let listening = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (seen, over, answer) = (Arc::clone(&seen), Arc::clone(&over), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some((stream, request)) = stream.ok().and_then(receive) else { return };
                    let before = {
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    // A client that hangs up is what many tests are about.
                    let _ = send(stream, &answer(&request, before), &over);
                });
            }
        });
        Self { address, requests, is_over, listening: Some(listening) }
    }

    /// The address of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for the next client.
        let _ = TcpStream::connect(&self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

fn receive(stream: TcpStream) -> Option<(TcpStream, HttpRequest)> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut request = HttpRequest {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        ..HttpRequest::default()
    };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some((stream, request))
}

fn send(mut stream: TcpStream, reply: &HttpReply, is_over: &AtomicBool) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", reply.status);
    let has = |name: &str| reply.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    if !has("content-length") && !has("transfer-encoding") {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        // An empty value takes the header away, for servers that do not announce a length.
        if !value.is_empty() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    let sent = &reply.body[..reply.cut_at.unwrap_or(usize::MAX).min(reply.body.len())];
    match reply.trickle {
        None => stream.write_all(sent)?,
        Some((bytes, pause)) => {
            for piece in sent.chunks(bytes) {
                stream.write_all(piece)?;
                sleep(pause, is_over);
            }
        }
    }
    stream.flush()?;
    sleep(reply.silence, is_over);
    stream.shutdown(Shutdown::Write)
}

/// Sleeps unless the test is over.
fn sleep(time: Duration, is_over: &AtomicBool) {
    let slice = Duration::from_millis(20);
    let mut left = time;
    while !left.is_zero() && !is_over.load(Ordering::SeqCst) {
        thread::sleep(left.min(slice));
        left = left.saturating_sub(slice);
    }
}
