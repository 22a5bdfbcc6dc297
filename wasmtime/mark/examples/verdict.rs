//! verdict COMPONENT...: of each, whether it can mark what it writes, or why not.
fn main() {
    for path in std::env::args().skip(1) {
        let component = std::fs::read(&path).expect("a file");
        match enclave_mark::mark(&component) {
            Ok(marked) => println!(
                "{path}: marks; {} bytes become {}, and an image of {} at {} of {}; {:?}",
                component.len(),
                marked.component.len(),
                marked.image.bytes.len(),
                marked.image.offset,
                marked.image.memory_bytes,
                marked.memories
            ),
            Err(why) => println!("{path}: {why}"),
        }
    }
}
