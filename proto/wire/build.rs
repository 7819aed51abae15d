//! Turns the protobuf files into Rust with compilers written in Rust: there is no `protoc` to install.

use std::error::Error;

const FILES: [&str; 3] = [
    "sluice/common/v1/common.proto",
    "sluice/meta/v1/meta.proto",
    "sluice/storage/v1/storage.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=protobuf");
    let descriptors = protox::compile(FILES, ["protobuf"])?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
