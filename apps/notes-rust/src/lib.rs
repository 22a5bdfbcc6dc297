//! Notes, kept in files on the app's sealed root with std::fs alone.
//!
//!     PUT /notes/NAME   keep the body          GET /notes/NAME   give it back       DELETE /notes/NAME   forget it
//!     GET /notes        the names              GET /count        how often this was asked (wasi:keyvalue)
//!     POST /echo        the body, as it comes  GET /env/NAME     a variable that the operator set
//!     GET /fail         a panic: 500, and where it was in the log         GET /heap  whether its memory is its own
use std::fs::{self, File};
use std::io::{self, Read, Write};

use wasi::http::types::{Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasi::io::streams::{InputStream, OutputStream, StreamError};
use wasi::keyvalue::{atomics, store};

wit_bindgen::generate!({ path: "wit", world: "handler", generate_all });

const FOLDER: &str = "/notes";

/// A request's body; what is dropped first is the stream.
struct Body(InputStream, #[allow(dead_code)] IncomingBody);

impl Body {
    fn of(request: &IncomingRequest) -> Body {
        let body = request.consume().expect("a body is consumed once");
        Body(body.stream().expect("a body has one stream"), body)
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.blocking_read(into.len() as u64) {
            Ok(bytes) => {
                into[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
            Err(StreamError::Closed) => Ok(0),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// A response whose head is sent and whose body is written.
struct Response(Option<(OutputStream, OutgoingBody)>);

impl Response {
    fn new(outparam: ResponseOutparam, status: u16) -> Response {
        let fields = Fields::from_list(&[("content-type".into(), b"text/plain; charset=utf-8".into())]);
        let response = OutgoingResponse::new(fields.expect("a known field"));
        response.set_status_code(status).expect("a known status");
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(outparam, Ok(response));
        Response(Some((body.write().expect("the stream is taken once"), body)))
    }
}

impl Write for Response {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(4096)]; // what one blocking write takes
        let (stream, _) = self.0.as_ref().expect("not finished yet");
        stream.blocking_write_and_flush(piece).map_err(io::Error::other)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        let (stream, body) = self.0.take().expect("finished once");
        drop(stream);
        let _ = OutgoingBody::finish(body, None); // the client may have gone
    }
}

fn answer(outparam: ResponseOutparam, status: u16, text: &str) {
    let _ = Response::new(outparam, status).write_all(text.as_bytes());
}

/// Answer with all that can be read. The client must not take half of it for all, so an error ends the answer.
fn pass(outparam: ResponseOutparam, mut from: impl Read) {
    let mut response = Response::new(outparam, 200);
    io::copy(&mut from, &mut response).expect("all of it is read and sent");
}

/// What is acknowledged is on disk: the content before it has its name, and the name with the next sync of any file.
fn write(path: &str, beside: &str, mut body: Body) -> io::Result<()> {
    let mut file = File::create(beside)?;
    io::copy(&mut body, &mut file)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    file.sync_all()
}

/// Write beside and rename, so that a note is never half of one, also where the body broke off.
fn keep(path: &str, body: Body) -> io::Result<()> {
    let beside = format!("{path}~");
    fs::create_dir_all(FOLDER)?;
    let kept = write(path, &beside, body);
    if kept.is_err() {
        let _ = fs::remove_file(&beside);
    }
    kept
}

fn forget(path: &str) -> io::Result<()> {
    let file = File::open(path)?;
    fs::remove_file(path)?;
    file.sync_all()
}

fn names() -> io::Result<String> {
    let mut names = Vec::new();
    match fs::read_dir(FOLDER) {
        Ok(entries) => {
            for entry in entries {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    names.retain(|name| !name.ends_with('~'));
    names.sort();
    Ok(names.iter().map(|name| format!("{name}\n")).collect())
}

fn note(request: &IncomingRequest, outparam: ResponseOutparam, path: &str) {
    let done = match request.method() {
        Method::Put => keep(path, Body::of(request)).map(|()| "kept\n"),
        Method::Delete => forget(path).map(|()| "forgotten\n"),
        _ => match File::open(path) {
            Ok(file) => return pass(outparam, file),
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(text) => answer(outparam, 200, text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => answer(outparam, 404, "no such note\n"),
        Err(error) => answer(outparam, 500, &format!("{error}\n")),
    }
}

/// Fills blocks of many sizes, with calls to the system between them, and looks whether they are still as they were
/// filled.
fn whole_heap() -> bool {
    let fill = |number: usize, at: usize| ((number + at) as u32).wrapping_mul(2654435761).to_be_bytes()[0];
    let whole = |(number, block): (usize, &Vec<u8>)| block.iter().enumerate().all(|(at, b)| *b == fill(number, at));
    let mut blocks = vec![Vec::new(); 256];
    let mut state = 7u32;
    for round in 0..4096 {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        let number = (state >> 8) as usize % blocks.len();
        if !whole((number, &blocks[number])) {
            return false;
        }
        let size = (state >> 4) as usize % (64 + round % 16 * 2048);
        blocks[number] = (0..size).map(|at| fill(number, at)).collect();
        if round % 16 == 0 && fs::metadata("/").is_err() {
            return false;
        }
    }
    blocks.iter().enumerate().all(whole)
}

struct Notes;

impl exports::wasi::http::incoming_handler::Guest for Notes {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match path.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
            ["notes"] => match names() {
                Ok(names) => answer(outparam, 200, &names),
                Err(error) => answer(outparam, 500, &format!("{error}\n")),
            },
            ["notes", name] if !name.is_empty() => note(&request, outparam, &format!("{FOLDER}/{name}")),
            ["echo"] if matches!(request.method(), Method::Post) => {
                pass(outparam, Body::of(&request));
            }
            ["count"] => {
                let bucket = store::open("default").expect("the default store");
                let count = atomics::increment(&bucket, "count", 1).expect("a count");
                answer(outparam, 200, &format!("{count}\n"));
            }
            ["env", name] => answer(outparam, 200, &std::env::var(name).unwrap_or_default()),
            ["heap"] => answer(outparam, 200, if whole_heap() { "whole\n" } else { "changed\n" }),
            ["fail"] => panic!("as it was asked to"),
            _ => answer(outparam, 404, "not here\n"),
        }
    }
}

export!(Notes);
