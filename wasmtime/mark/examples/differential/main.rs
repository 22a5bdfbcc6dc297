//! differential [COMPONENTS [SEED]]: random components, as they come and as they mark, side by side.
//!
//! Both give the same result or fail alike and leave the same memory, and whatever differs in it from what it began with is
//! marked. Then the same with faults: marks that are good for less than they are, or one of the modules' marks thrown
//! away. Each of these has to be found, or the test says nothing.
mod generate;
mod random;
mod run;

use enclave_mark::SLACK;

struct Fault {
    name: &'static str,
    slack: u32,
    ignored: Option<usize>,
}

const NONE: Fault = Fault { name: "none", slack: SLACK, ignored: None };
const FAULTS: [Fault; 4] = [
    Fault { name: "marks are good for less", slack: SLACK / 4, ignored: None },
    Fault { name: "marks are good for their own card alone", slack: 0, ignored: None },
    Fault { name: "what the host writes where it is told is not marked", slack: SLACK, ignored: Some(1) },
    Fault { name: "what code writes is not marked", slack: SLACK, ignored: Some(2) },
];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let (components, seed) = (arguments.next().unwrap_or(200), arguments.next().unwrap_or(15));
    let bench = run::Bench::new();
    let mut found = [0u64; FAULTS.len()];
    let (mut calls, mut wrong, mut failed, mut written) = (0u64, 0u64, 0u64, 0u64);
    for number in 0..components {
        let mut random = random::Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let component = generate::component(&mut random);
        let pair = bench.pair(&component);
        for _ in 0..4 {
            let (a, b) = (random.next() as u32, random.next() as u32);
            let outcome = pair.call(a, b);
            calls += 1;
            failed += u64::from(outcome.failed);
            written += outcome.changed as u64;
            if let Some(why) = outcome.difference() {
                println!("component {number} of seed {seed}, ({a}, {b}): {why}");
                wrong += 1;
            }
            if let Some(at) = outcome.unmarked(NONE.slack, NONE.ignored) {
                println!("component {number} of seed {seed}, ({a}, {b}): {at:#x} is written, and not marked");
                wrong += 1;
            }
            for (fault, found) in FAULTS.iter().zip(&mut found) {
                *found += u64::from(outcome.unmarked(fault.slack, fault.ignored).is_some());
            }
        }
    }
    println!("{components} components, {calls} calls, {failed} of which failed; {written} bytes were changed; {wrong} are wrong");
    for (fault, found) in FAULTS.iter().zip(found) {
        println!("with a fault: {}: found in {found} calls", fault.name);
        wrong += u64::from(found == 0);
    }
    std::process::exit(i32::from(wrong > 0));
}
