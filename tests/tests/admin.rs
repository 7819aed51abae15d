//! What `sluice admin` shows of a cluster in use.

use serde_json::Value;
use sluice_proto_nfs::nfs3::StableHow;
use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::nfs_client::files::make_file;

fn status(cluster: &Cluster) -> Value {
    serde_json::from_str(&cluster.admin(&["status", "--json"]).unwrap()).unwrap()
}

async fn shows_who_writes_what(shape: Shape) {
    let mut cluster = Cluster::start(shape).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    assert_eq!(status(&cluster)["writes"], Value::Array(Vec::new()));
    let file = make_file(&client, root, "file").await.unwrap();
    let inode = client.getattr(file).await.unwrap().fileid;
    client
        .write(file, 0, b"data", StableHow::Unstable)
        .await
        .unwrap();
    let shown = status(&cluster);
    let sessions = shown["sessions"].as_array().unwrap();
    let is_gateway =
        |session: &&Value| session["name"].as_str().unwrap().starts_with("gateway on ");
    let gateway = sessions.iter().find(is_gateway).unwrap();
    assert!(gateway["silent_seconds"].as_f64().unwrap() < 5.0, "{shown}");
    let writes = shown["writes"].as_array().unwrap();
    assert_eq!(writes.len(), 1, "{shown}");
    assert_eq!(writes[0]["inode"], inode);
    assert_eq!(writes[0]["session"], gateway["session"]);
    assert_eq!(writes[0]["gateway"], gateway["name"]);
    assert!(writes[0]["age_seconds"].as_f64().unwrap() < 30.0, "{shown}");
    let text = cluster.admin(&["status"]).unwrap();
    for words in ["file being written", "gateway on ", &inode.to_string()] {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
    client.remove(root, b"file").await.unwrap();
    assert_eq!(status(&cluster)["writes"], Value::Array(Vec::new()));
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn status_shows_who_writes_what_in_one_process() {
    shows_who_writes_what(Shape::OneProcess).await;
}

#[tokio::test]
async fn status_shows_who_writes_what_in_separate_processes() {
    shows_who_writes_what(Shape::Separate).await;
}
