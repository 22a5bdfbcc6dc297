//! What dcap-qvl says, one line per case: NAME, what it makes of the signatures and levels, what its strict policy says.
//!
//!     interop cases DIR            DIR/NAME/{quote,collateral.json,now}; root.der unless it is Intel's; debug if allowed
//!     interop fetch URL QUOTE ROOT.der [debug]    collateral from a PCCS, now

use dcap_qvl::collateral::CollateralClient;
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::{QuoteCollateralV3, QuotePolicy};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The status, or "refused"; then "accepted" or "refused" by the strict policy. Reasons go to standard error.
fn verdict(name: &str, root: Option<Vec<u8>>, debug: bool, quote: &[u8], c: &QuoteCollateralV3, now: u64) -> String {
    let verifier = || match &root {
        Some(root) => QuoteVerifier::new(root.clone()).allow_debug(debug),
        None => QuoteVerifier::new_prod().allow_debug(debug),
    };
    let status = match verifier().verify(quote, c, now) {
        Ok(report) => report.status,
        Err(e) => {
            eprintln!("{name}: {e:#}");
            "refused".into()
        }
    };
    let strict = match verifier().verify_with_policy(quote, c, now, &QuotePolicy::strict(now)) {
        Ok(_) => "accepted",
        Err(e) => {
            eprintln!("{name}: {e:#}");
            "refused"
        }
    };
    format!("{name}\t{status}\t{strict}")
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn cases(dir: &Path) {
    let mut folders: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let collateral = serde_json::from_slice(&read(&folder.join("collateral.json"))).expect("collateral");
        let now = String::from_utf8(read(&folder.join("now"))).unwrap().trim().parse().expect("now");
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let debug = folder.join("debug").exists();
        let root = std::fs::read(folder.join("root.der")).ok();
        println!("{}", verdict(&name, root, debug, &read(&folder.join("quote")), &collateral, now));
    }
}

fn fetch(url: &str, quote: &Path, root: &Path, debug: bool) {
    let quote = read(quote);
    let root = Some(read(root));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = CollateralClient::with_default_http(url).expect("client");
    let collateral = runtime.block_on(client.fetch(&quote)).expect("collateral");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    println!("{}", verdict("fetched", root, debug, &quote, &collateral, now));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cases", dir] => cases(Path::new(dir)),
        ["fetch", url, quote, root] => fetch(url, Path::new(quote), Path::new(root), false),
        ["fetch", url, quote, root, "debug"] => fetch(url, Path::new(quote), Path::new(root), true),
        _ => panic!("usage: interop cases DIR | fetch URL QUOTE ROOT.der [debug]"),
    }
}
