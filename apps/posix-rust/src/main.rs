//! A program with a `main`, and what Rust's standard library asks of WASI preview 1: files, folders, links, times, the
//! environment, clocks, standard streams. A line for each case that is otherwise than expected; at the end how many
//! there were. It leaves its folder as it found it.
//!
//! A case is made of a name and a question; it fails with what came instead. The body of the request is what stdin has.
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fmt::Debug;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What std has for WASI only behind a feature of the nightly compiler.
mod wasi {
    use std::ffi::{CString, c_char, c_int};
    use std::io;
    use std::path::Path;

    unsafe extern "C" {
        fn symlink(target: *const c_char, path: *const c_char) -> c_int;
    }

    pub fn symlink_to(target: &str, path: &Path) -> io::Result<()> {
        let target = CString::new(target)?;
        let path = CString::new(path.to_str().unwrap())?;
        // SAFETY: both are terminated, and are not kept.
        if unsafe { symlink(target.as_ptr(), path.as_ptr()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[derive(Default)]
struct Cases {
    tried: usize,
    failed: usize,
}

impl Cases {
    fn holds(&mut self, name: &str, condition: bool) {
        self.equal(name, condition, true);
    }

    fn equal<T: PartialEq + Debug>(&mut self, name: &str, got: T, expected: T) {
        self.tried += 1;
        if got != expected {
            self.failed += 1;
            println!("{name}: {got:?}, expected {expected:?}");
        }
    }

    fn works<T>(&mut self, name: &str, result: io::Result<T>) -> Option<T> {
        self.tried += 1;
        result.map_err(|error| {
            self.failed += 1;
            println!("{name}: {error:?}");
        }).ok()
    }

    fn fails<T: Debug>(&mut self, name: &str, result: io::Result<T>, expected: ErrorKind) {
        self.equal(name, result.map_err(|error| error.kind()).map(|_| ()), Err(expected));
    }
}

// Of what has no kind in std: EBADF, ELOOP, ENOTEMPTY.
const BAD_DESCRIPTOR: Option<i32> = Some(8);
const LOOP: Option<i32> = Some(32);
const NOT_EMPTY: Option<i32> = Some(55);

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<String> =
        fs::read_dir(folder)?.map(|e| Ok(e?.file_name().into_string().unwrap())).collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

fn files(c: &mut Cases, here: &Path) -> io::Result<()> {
    let file = here.join("file");
    c.fails("open what is not there", File::open(&file), ErrorKind::NotFound);
    c.works("write", fs::write(&file, "one\ntwo\n"));
    c.fails("create_new over it", File::create_new(&file), ErrorKind::AlreadyExists);
    c.equal("read", fs::read_to_string(&file)?, "one\ntwo\n".into());
    c.holds("write through what was opened for reading", File::open(&file)?.write(b"x").is_err_and(|e| e.raw_os_error() == BAD_DESCRIPTOR));
    let mut append = OpenOptions::new().append(true).open(&file)?;
    append.seek(SeekFrom::Start(0))?;
    append.write_all(b"three\n")?;
    c.equal("appended", fs::read_to_string(&file)?.lines().count(), 3);
    let mut both = OpenOptions::new().read(true).write(true).open(&file)?;
    c.equal("seek from the end", both.seek(SeekFrom::End(-6))?, 8);
    c.fails("seek before the start", both.seek(SeekFrom::Current(-9)), ErrorKind::InvalidInput);
    c.equal("seek that failed moves nothing", both.stream_position()?, 8);
    both.write_all(b"THREE")?;
    both.rewind()?;
    c.equal("overwritten", io::BufReader::new(&both).lines().last().unwrap()?, "THREE".into());
    c.works("set_len shorter", both.set_len(4));
    c.works("set_len longer", both.set_len(70_000));
    let bytes = fs::read(&file)?;
    c.holds("what was cut is zero", bytes.len() == 70_000 && &bytes[..4] == b"one\n" && bytes[4..].iter().all(|&b| b == 0));
    c.fails("set_len of what was opened for reading", File::open(&file)?.set_len(0), ErrorKind::InvalidInput);
    c.works("sync_all", both.sync_all());
    c.works("sync_data", both.sync_data());
    c.equal("truncate", OpenOptions::new().write(true).truncate(true).open(&file)?.metadata()?.len(), 0);
    c.works("copy", fs::write(here.join("source"), vec![7; 200_000]));
    c.equal("bytes copied", fs::copy(here.join("source"), &file)?, 200_000);
    c.equal("a copy", fs::read(&file)?, vec![7; 200_000]);
    c.works("remove", fs::remove_file(here.join("source")));
    c.works("remove", fs::remove_file(&file));
    c.fails("remove twice", fs::remove_file(&file), ErrorKind::NotFound);
    c.equal("exists", file.try_exists()?, false);
    Ok(())
}

fn names(c: &mut Cases, here: &Path) -> io::Result<()> {
    let (one, other, third) = (here.join("one"), here.join("other"), here.join("third"));
    fs::write(&one, "1")?;
    fs::write(&other, "2")?;
    let mut open = File::open(&other)?;
    c.works("rename over an open file", fs::rename(&one, &other));
    let mut text = String::new();
    open.read_to_string(&mut text)?;
    c.equal("the open file is the old one", text, "2".into());
    c.equal("its name the new one's", fs::read_to_string(&other)?, "1".into());
    c.works("hard_link", fs::hard_link(&other, &one));
    c.fails("hard_link over a file", fs::hard_link(&other, &one), ErrorKind::AlreadyExists);
    fs::write(&one, "both")?;
    c.equal("one file, two names", fs::read_to_string(&other)?, "both".into());
    c.works("remove one", fs::remove_file(&one));
    c.equal("the other stays", fs::read_to_string(&other)?, "both".into());
    c.works("symlink", wasi::symlink_to("other", &one));
    c.equal("read_link", fs::read_link(&one)?, PathBuf::from("other"));
    c.equal("through it", fs::read_to_string(&one)?, "both".into());
    c.holds("symlink_metadata", fs::symlink_metadata(&one)?.file_type().is_symlink());
    c.holds("metadata", fs::metadata(&one)?.is_file());
    c.works("rename a link", fs::rename(&one, &third));
    c.holds("it is a link still", fs::symlink_metadata(&third)?.file_type().is_symlink());
    c.works("remove what it leads to", fs::remove_file(&other));
    c.fails("dangling", File::open(&third), ErrorKind::NotFound);
    c.equal("dangling exists", third.try_exists()?, false);
    c.fails("create_new at a dangling link", File::create_new(&third), ErrorKind::AlreadyExists);
    c.works("create through a dangling link", File::create(&third));
    c.works("which made its target", fs::remove_file(&other));
    c.works("remove a link", fs::remove_file(&third));
    c.works("a loop", wasi::symlink_to("third", &third));
    c.holds("open a loop", File::open(&third).is_err_and(|e| e.raw_os_error() == LOOP));
    c.works("remove a loop", fs::remove_file(&third));
    Ok(())
}

fn folders(c: &mut Cases, here: &Path) -> io::Result<()> {
    let deep = here.join("a/b/c");
    c.fails("create_dir without its parent", fs::create_dir(&deep), ErrorKind::NotFound);
    c.works("create_dir_all", fs::create_dir_all(&deep));
    c.works("create_dir_all again", fs::create_dir_all(&deep));
    c.fails("create_dir again", fs::create_dir(&deep), ErrorKind::AlreadyExists);
    fs::write(deep.join("file"), "")?;
    c.fails("create_dir_all below a file", fs::create_dir_all(deep.join("file/x")), ErrorKind::NotADirectory);
    c.holds("remove_dir that is not empty", fs::remove_dir(&deep).is_err_and(|e| e.raw_os_error() == NOT_EMPTY));
    c.fails("remove_dir of a file", fs::remove_dir(deep.join("file")), ErrorKind::NotADirectory);
    c.fails("remove_file of a folder", fs::remove_file(&deep), ErrorKind::IsADirectory);
    c.fails("rename into itself", fs::rename(here.join("a"), here.join("a/b/d")), ErrorKind::InvalidInput);
    c.fails("rename over a folder that is not empty", fs::rename(here.join("a/b"), here.join("a/b/c")), ErrorKind::InvalidInput);
    c.fails("read_dir of a file", fs::read_dir(deep.join("file")), ErrorKind::NotADirectory);
    c.fails("a file with a slash behind it", File::open(here.join("a/b/c/file/")), ErrorKind::NotADirectory);
    for i in 0..300 {
        fs::write(deep.join(format!("{i:0>100}")), "")?;
    }
    c.equal("read_dir", names_in(&deep)?.len(), 301);
    let mut removed = 0;
    for entry in fs::read_dir(&deep)? {
        fs::remove_file(entry?.path())?;
        removed += 1;
    }
    c.equal("removed while they were listed", (removed, names_in(&deep)?.len()), (301, 0));
    wasi::symlink_to("../..", &deep.join("up"))?;
    let kinds: BTreeMap<String, bool> = fs::read_dir(&deep)?
        .map(|e| e.and_then(|e| Ok((e.file_name().into_string().unwrap(), e.file_type()?.is_symlink()))))
        .collect::<io::Result<_>>()?;
    c.equal("kinds of entries", kinds, BTreeMap::from([("up".into(), true)]));
    c.works("remove_dir_all", fs::remove_dir_all(here.join("a")));
    c.equal("which followed no link", names_in(here)?, vec![]);
    let longest = here.join("n".repeat(255));
    c.works("the longest name", fs::write(&longest, ""));
    c.works("which goes", fs::remove_file(&longest));
    c.fails("a longer one", fs::write(here.join("n".repeat(256)), ""), ErrorKind::InvalidFilename);
    c.fails("nul in a name", fs::write(here.join("a\0b"), ""), ErrorKind::InvalidInput);
    c.fails("out of the root", File::open("/../x"), ErrorKind::PermissionDenied);
    Ok(())
}

fn times(c: &mut Cases, here: &Path) -> io::Result<()> {
    let path = here.join("file");
    let at = |seconds, nanoseconds| UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    let before = SystemTime::now() - Duration::from_secs(1);
    let mut file = File::create(&path)?;
    c.holds("made now", file.metadata()?.modified()? > before);
    c.works("set_times", file.set_times(FileTimes::new().set_modified(at(7, 123_456_789)).set_accessed(at(5, 1))));
    let known = fs::metadata(&path)?;
    c.equal("modified", known.modified()?, at(7, 123_456_789));
    c.equal("accessed", known.accessed()?, at(5, 1));
    c.works("set_modified", file.set_modified(at(9, 0)));
    c.equal("modified alone", (file.metadata()?.modified()?, file.metadata()?.accessed()?), (at(9, 0), at(5, 1)));
    c.works("far in the future", file.set_modified(at(10_000_000_000, 0)));
    c.equal("far in the future", file.metadata()?.modified()?, at(10_000_000_000, 0));
    c.fails("before 1970", file.set_modified(UNIX_EPOCH - Duration::from_secs(1)), ErrorKind::InvalidInput);
    file.set_modified(at(9, 0))?;
    fs::rename(&path, here.join("moved"))?;
    c.equal("renaming changes no time", file.metadata()?.modified()?, at(9, 0));
    file.write_all(b"x")?;
    c.holds("writing does", file.metadata()?.modified()? > before);
    fs::remove_file(here.join("moved"))?;
    Ok(())
}

fn the_rest(c: &mut Cases) -> io::Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    c.equal("stdin", text, "the body".into());
    c.equal("at its end", io::stdin().read(&mut [0])?, 0);
    c.equal("terminals", (io::stdin().is_terminal(), io::stdout().is_terminal()), (false, false));
    c.equal("arguments", env::args().skip(1).collect::<Vec<_>>(), vec!["one".to_string(), "two words".into(), "".into(), "é".into()]);
    let variables: HashMap<String, String> = env::vars().collect();
    c.equal("a variable", variables.get("GREETING"), Some(&"hello".to_string()));
    c.equal("what was asked", env::var("REQUEST_METHOD").ok(), Some("POST".into()));
    c.equal("none", env::var("NONE").ok(), None);
    let start = Instant::now();
    thread::sleep(Duration::from_millis(5));
    c.holds("sleep", start.elapsed() >= Duration::from_millis(5));
    c.holds("this century", SystemTime::now() > UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let maps: Vec<HashMap<u8, u8>> = (0..2).map(|_| (0..100).map(|i| (i, i)).collect()).collect();
    c.holds("random seeds", maps[0].keys().ne(maps[1].keys()));
    c.works("stderr", writeln!(io::stderr(), "posix-rust was here"));
    c.holds("a large block", vec![1u8; 8 << 20].iter().map(|&b| b as usize).sum::<usize>() == 8 << 20);
    Ok(())
}

/// Blocks that are made, replaced and looked at again, with calls between them that reach the preview 1 adapter, whose state
/// lies in the same memory.
fn heap(c: &mut Cases, here: &Path) -> io::Result<()> {
    let byte = |seed: u32, at: usize| (seed.wrapping_add(at as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
    let whole = |(seed, block): &(u32, Vec<u8>)| block.iter().enumerate().all(|(at, &b)| b == byte(*seed, at));
    let mut blocks: Vec<(u32, Vec<u8>)> = vec![(0, Vec::new()); 256];
    let (mut state, mut changed) = (7u32, 0);
    for round in 0..4096 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let slot = &mut blocks[(state >> 8) as usize % 256];
        changed += usize::from(!whole(slot));
        let size = (state >> 16) as usize % if round % 16 == 0 { 65_536 } else { 1_024 };
        *slot = (state, (0..size).map(|at| byte(state, at)).collect());
        if round % 16 == 0 {
            fs::metadata(here)?;
            names_in(here)?;
        }
    }
    c.equal("blocks of the heap that others wrote into", changed + blocks.iter().filter(|b| !whole(b)).count(), 0);
    Ok(())
}

fn main() -> ExitCode {
    let here = Path::new("/posix-rust");
    let mut c = Cases::default();
    let made = fs::create_dir(here);
    c.works("a folder to work in", made);
    type Group = fn(&mut Cases, &Path) -> io::Result<()>;
    let groups: [(&str, Group); 5] =
        [("files", files), ("names", names), ("folders", folders), ("times", times), ("heap", heap)];
    for (name, group) in groups {
        let end = group(&mut c, here);
        c.works(name, end);
    }
    let end = the_rest(&mut c);
    c.works("the rest", end);
    c.works("nothing is left", fs::remove_dir(here));
    println!("{} of {} cases", c.tried - c.failed, c.tried);
    ExitCode::SUCCESS
}
