//! The guest harness itself: it boots, it reports, it cleans up.

use std::time::Duration;

use sluice_tests::guest::{Guest, Network, SERVER_ADDRESS};
use sluice_tests::scratch::temporary_dir;

const BOOT: Duration = Duration::from_secs(60);

#[test]
fn a_script_runs_as_root_on_a_fresh_machine_and_its_status_comes_back() {
    let network = Network::create().unwrap();
    let guest = Guest::new(&network).unwrap();
    let output = guest
        .run(
            "id -u; echo wrong >&2; grep -c nfs /proc/filesystems; exit 7",
            BOOT,
        )
        .unwrap();
    assert_eq!(output.status, 7);
    assert!(output.text.starts_with("0\nwrong\n"), "{}", output.text);
}

#[test]
fn guests_share_one_network_with_the_server_and_see_one_another() {
    let network = Network::create().unwrap();
    let output = temporary_dir("output-").unwrap();
    let listener = network
        .enter(|| std::net::TcpListener::bind((SERVER_ADDRESS, 7000)))
        .unwrap()
        .unwrap();
    let first = Guest::new(&network).unwrap().with_output_dir(output.path());
    let second = Guest::new(&network).unwrap();
    let mut first = first
        .spawn("echo up; read word; echo \"$word\" >/run/out/word; busybox ping -c1 -W5 10.99.0.12 >/dev/null && echo reached")
        .unwrap();
    let mut second = second
        .spawn("busybox ping -c1 -W5 $SERVER >/dev/null && echo up; read word; busybox nc $SERVER 7000 </dev/null")
        .unwrap();
    second.wait_for_line("up", BOOT).unwrap();
    first.wait_for_line("up", BOOT).unwrap();
    first.send_line("hello").unwrap();
    let text = first.wait(BOOT).unwrap().expect_success();
    assert!(text.contains("reached"), "{text}");
    let word = std::fs::read_to_string(output.path().join("word")).unwrap();
    assert_eq!(word, "hello\n");

    second.send_line("go").unwrap();
    let (_, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip().to_string(), "10.99.0.12");
    second.kill();
}

#[test]
fn a_script_that_hangs_is_killed_at_its_deadline_with_what_it_said() {
    let network = Network::create().unwrap();
    let guest = Guest::new(&network).unwrap();
    let error = guest
        .run("echo stuck; sleep 1000", Duration::from_secs(10))
        .unwrap_err();
    assert!(error.to_string().contains("stuck"), "{error}");
}
