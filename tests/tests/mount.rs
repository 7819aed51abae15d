//! A stock Linux client mounts, however it is asked to.

use std::time::Duration;

use sluice_tests::cluster::{Cluster, Settings, Shape, program};
use sluice_tests::guest::{Guest, Network};

const MINUTE: Duration = Duration::from_secs(60);

/// Uses the mount a little and says how it was mounted.
const USE_IT: &str = "
    echo hello >/run/mnt/file
    mkdir /run/mnt/dir
    mv /run/mnt/file /run/mnt/dir/moved
    test \"$(cat /run/mnt/dir/moved)\" = hello
    df /run/mnt >/dev/null
    sync /run/mnt/dir/moved
    rm -r /run/mnt/dir
    grep ' /run/mnt ' /proc/mounts
    umount /run/mnt
";

fn mount_and_use(cluster: &Cluster, mount: &str) -> String {
    let script = format!("set -e\n{mount}\n{USE_IT}");
    let guest = cluster.guest().unwrap();
    guest.run(&script, MINUTE).unwrap().expect_success()
}

fn with_portmap(shape: Shape) -> Cluster {
    let settings = Settings {
        portmap: "own",
        ..Settings::default()
    };
    Cluster::start_with(shape, settings).unwrap()
}

/// The client asks portmap on port 111, tries NFSv4 first, and uses MOUNT over UDP.
#[test]
fn with_no_options_at_all() {
    for shape in [Shape::OneProcess, Shape::Separate] {
        let mut cluster = with_portmap(shape);
        let mounted = mount_and_use(&cluster, "mount -t nfs $SERVER:/ /run/mnt");
        assert!(mounted.contains("vers=3"), "{mounted}");
        cluster.terminate().unwrap();
    }
}

#[test]
fn as_version_3_without_locks() {
    let mut cluster = with_portmap(Shape::OneProcess);
    let mounted = mount_and_use(&cluster, "mount -t nfs -o vers=3,nolock $SERVER:/ /run/mnt");
    assert!(mounted.contains("nolock"), "{mounted}");
    cluster.terminate().unwrap();
}

#[test]
fn on_another_port_without_portmap() {
    let settings = Settings {
        nfs_port: 20_490,
        ..Settings::default()
    };
    let mut cluster = Cluster::start_with(Shape::OneProcess, settings).unwrap();
    let options = "vers=3,tcp,mountproto=tcp,nolock,port=20490,mountport=20490";
    let mounted = mount_and_use(
        &cluster,
        &format!("mount -t nfs -o {options} $SERVER:/ /run/mnt"),
    );
    assert!(mounted.contains("port=20490"), "{mounted}");
    cluster.terminate().unwrap();
}

/// Where an rpcbind runs already, the ports are registered with it, and gone from it after the end.
#[test]
fn through_an_rpcbind_that_runs_already() {
    let network = Network::create().unwrap();
    // Its lock is a file: with a /run of its own it does not meet the rpcbind of this machine.
    let in_own_run = "mount -t tmpfs tmpfs /run && exec rpcbind -f";
    let mut rpcbind = network
        .server_command("unshare")
        .args(["--mount", "sh", "-c", in_own_run])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let settings = Settings {
        portmap: "register",
        ..Settings::default()
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut cluster = Cluster::start_in(network, Shape::OneProcess, settings).unwrap();
        mount_and_use(&cluster, "mount -t nfs $SERVER:/ /run/mnt");
        let registered = |cluster: &Cluster| {
            let mut command = cluster.network().server_command("rpcinfo");
            let output = command.args(["-p", "10.99.0.1"]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).contains("100003")
        };
        assert!(registered(&cluster));
        cluster.terminate().unwrap();
        assert!(!registered(&cluster), "still registered after the end");
    }));
    rpcbind.kill().unwrap();
    rpcbind.wait().unwrap();
    result.unwrap();
}

/// As the README has it, where no rpcbind runs: a mount with locks starts the kernel's lockd, which registers with the port
/// mapper of the machine, and that is Sluice.
#[test]
fn on_the_machine_itself_without_an_rpcbind() {
    let network = Network::create().unwrap();
    let program = program().unwrap();
    let program = program.display();
    let script = format!(
        "kill $(pidof rpcbind)
        while pidof rpcbind >/dev/null; do sleep 0.1; done
        rm -f /run/rpcbind.sock
        {program} up --data=/tmp/data --portmap=own --targets=1 --cache-memory=16MiB >/tmp/ready 2>/tmp/log &
        until grep -q ^ready: /tmp/ready; do kill -0 $! || break; sleep 0.2; done
        set -e
        mount -t nfs 127.0.0.1:/ /run/mnt || {{ cat /tmp/log; exit 1; }}
        {USE_IT}"
    );
    // Its /tmp is half of its memory; a file system keeps the last of its disk free for metadata and removals.
    let guest = Guest::new(&network).unwrap().with_memory_mib(4096);
    let mounted = guest.run(&script, 2 * MINUTE).unwrap().expect_success();
    assert!(mounted.contains("local_lock=none"), "{mounted}");
}

/// Two clients see one another's changes; a file handle outlives a restart of everything.
#[test]
fn two_clients_and_a_restart() {
    let mut cluster = with_portmap(Shape::OneProcess);
    let mount = "set -e; mount -t nfs -o noac $SERVER:/ /run/mnt; cd /run/mnt;";
    let writer = format!(
        "{mount} exec 3>held; echo early >&3; sync held; echo wrote; read go; echo late >&3; sync held; echo done"
    );
    let reader = format!("{mount} echo up; read go; cat held; read go; cat held");
    let (first, second) = (cluster.guest().unwrap(), cluster.guest().unwrap());
    let mut first = first.spawn(&writer).unwrap();
    let mut second = second.spawn(&reader).unwrap();
    second.wait_for_line("up", MINUTE).unwrap();
    first.wait_for_line("wrote", MINUTE).unwrap();
    second.send_line("go").unwrap();
    second.wait_for_line("early", MINUTE).unwrap();
    cluster.kill9();
    cluster.start_all().unwrap();
    first.send_line("go").unwrap();
    first.wait_for_line("done", MINUTE).unwrap();
    second.send_line("go").unwrap();
    second.wait_for_line("late", MINUTE).unwrap();
    first.wait(MINUTE).unwrap().expect_success();
    second.wait(MINUTE).unwrap().expect_success();
    cluster.terminate().unwrap();
}
