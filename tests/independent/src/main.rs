//! Measure and sign an enclave image with Fortanix's crates, and compare with what stands in the image.
//!
//!     pages IMAGE | independent KEY.pem
//!
//! The pages come from pages.c as they are loaded; how they are hashed, how SIGSTRUCT is laid out and signed, is the
//! crates' affair. PKCS#1 v1.5 has no randomness, so with the same key the whole structure must come out the same.

use std::io::{self, Read};
use std::process::exit;

use openssl::hash::Hasher;
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use sgx_isa::{AttributesFlags, SecinfoFlags, Sigstruct};
use sgxs::sgxs::{Meas, MeasECreate, SecinfoTruncated, SgxsWrite};
use sgxs::sigstruct::{self, EnclaveHash, Signer};

type Failure = Box<dyn std::error::Error>;

fn u64_from(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The page stream as an SGXS file: ECREATE, then EADD, EEXTEND and content for each page.
fn read_pages(input: &mut impl Read) -> Result<(Vec<u8>, u64, u64), Failure> {
    let mut out = Vec::new();
    let (ssaframesize, size, count) = (u64_from(input)? as u32, u64_from(input)?, u64_from(input)?);
    out.write_meas(&Meas::ECreate(MeasECreate { ssaframesize, size }))?;
    let mut measured_count = 0;
    for _ in 0..count {
        let (offset, flags, measured) = (u64_from(input)?, u64_from(input)?, u64_from(input)?);
        let secinfo = SecinfoTruncated {
            flags: SecinfoFlags::from_bits(flags).ok_or("SECINFO has bits that the crate does not know")?,
        };
        if measured == 1 {
            let mut page = [0; 4096];
            input.read_exact(&mut page)?;
            out.write_page(Some(&mut &page[..]), offset, secinfo)?;
            measured_count += 1;
        } else {
            out.write_page(None::<&mut &[u8]>, offset, secinfo)?;
        }
    }
    Ok((out, count, measured_count))
}

fn from_bcd(bcd: u32) -> u32 {
    (0..8).rev().fold(0, |n, i| n * 10 + (bcd >> (4 * i) & 15))
}

/// Sign anew with the crate, from the fields of ours.
fn sign_again(ours: &Sigstruct, hash: EnclaveHash, key: &Rsa<Private>) -> Result<Sigstruct, Failure> {
    let date = from_bcd(ours.date);
    let mut signer = Signer::new(hash);
    signer
        .date((date / 10000) as u16, (date / 100 % 100) as u8, (date % 100) as u8)
        .swdefined(ours.swdefined)
        .isvextprodid(ours.isvextprodid)
        .isvprodid(ours.isvprodid)
        .isvsvn(ours.isvsvn)
        .miscselect(ours.miscselect, ours.miscmask)
        .attributes_flags(ours.attributes.flags, ours.attributemask[0])
        .attributes_xfrm(ours.attributes.xfrm, ours.attributemask[1]);
    Ok(signer.sign::<_, Hasher>(&**key)?)
}

fn check(name: &str, bytes: &[u8], hash: EnclaveHash, key: &Rsa<Private>) -> Result<(), Failure> {
    let ours = sigstruct::read(&mut &bytes[..])?;
    if ours.enclavehash != hash.hash() {
        return Err(format!("{name}: ENCLAVEHASH is {:02x?}", ours.enclavehash).into());
    }
    sigstruct::verify::<_, Hasher>(&ours, &**key).map_err(|_| format!("{name}: the signature does not verify"))?;
    if !ours.attributes.flags.contains(AttributesFlags::MODE64BIT) || ours.attributes.xfrm != 3 {
        return Err(format!("{name}: ATTRIBUTES {:?}", ours.attributes).into());
    }
    let theirs = sign_again(&ours, hash, key)?;
    let theirs: &[u8] = theirs.as_ref();
    if let Some(at) = (0..bytes.len()).find(|&i| bytes[i] != theirs[i]) {
        return Err(format!("{name}: SIGSTRUCT differs at byte {at}: ours {}, theirs {}", bytes[at], theirs[at]).into());
    }
    println!("{name}: SIGSTRUCT is the same, all {} bytes", bytes.len());
    Ok(())
}

fn run() -> Result<(), Failure> {
    let key_path = std::env::args().nth(1).ok_or("usage: independent KEY.pem, with pages' output as input")?;
    let key = Rsa::private_key_from_pem(&std::fs::read(key_path)?)?;
    let mut input = io::stdin().lock();
    let (stream, pages, measured) = read_pages(&mut input)?;
    let hash = EnclaveHash::from_stream::<_, Hasher>(&mut &stream[..]).map_err(|e| e.to_string())?;
    let hex: String = hash.hash().iter().map(|b| format!("{b:02x}")).collect();
    println!("{hex}  {pages} pages, {measured} measured by content");
    for name in ["development", "production"] {
        let mut bytes = [0; Sigstruct::UNPADDED_SIZE];
        input.read_exact(&mut bytes)?;
        check(name, &bytes, hash, &key)?;
    }
    Ok(())
}

fn main() {
    if let Err(e) = run() {
        eprintln!("independent: {e}");
        exit(1);
    }
}
