//! A cluster of Redis with two masters.

use std::path::Path;
use std::time::Duration;

use super::authority::CertifiedKey;
use super::deadline::eventually_blocking;
use super::redis::Redis;
use super::server_process::free_port;

pub struct RedisCluster {
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    pub fn start() -> Self {
        Self::of_nodes(Redis::with_arguments)
    }

    /// A cluster that speaks TLS with its clients, too.
    pub fn with_tls(own: &CertifiedKey, authority: &Path) -> Self {
        Self::of_nodes(|arguments| {
            let more = [arguments, &["--tls-auth-clients", "no"]].concat();
            Redis::with_tls_and(own, authority, &more)
        })
    }

    fn of_nodes(node: impl Fn(&[&str]) -> Redis) -> Self {
        let nodes: Vec<_> = (0..2)
            .map(|_| {
                let bus = free_port().to_string();
                node(&["--cluster-enabled", "yes", "--cluster-port", &bus])
            })
            .collect();
        nodes[0].tell("CLUSTER ADDSLOTSRANGE 0 8191");
        nodes[1].tell("CLUSTER ADDSLOTSRANGE 8192 16383");
        let bus: u16 = ask(&nodes[1], "CONFIG GET cluster-port")[1]
            .parse()
            .expect("a port");
        nodes[0].tell(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", nodes[1].port));
        let cluster = Self { nodes };
        eventually_blocking("the cluster is whole", Duration::from_secs(30), || {
            cluster.nodes.iter().all(|node| {
                let info: String = redis::cmd("CLUSTER")
                    .arg("INFO")
                    .query(&mut node.connection())
                    .expect("a node answers");
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
            })
        });
        cluster
    }

    pub fn url(&self) -> String {
        let places = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port));
        let places: Vec<_> = places.collect();
        format!("redis+cluster://{}", places.join(","))
    }

    /// The same with TLS.
    pub fn tls_url(&self) -> String {
        let ports = self.nodes.iter().filter_map(|node| node.tls_port);
        let places: Vec<_> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
        format!("rediss+cluster://{}", places.join(","))
    }

    /// Which node serves a key.
    pub fn node_of(&self, key: &str) -> usize {
        let slot: u16 = redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(key)
            .query(&mut self.nodes[0].connection())
            .expect("a node answers");
        usize::from(slot > 8191)
    }

    /// Has the other node serve a key that holds nothing at present.
    pub fn move_away(&self, key: &str) {
        let other = 1 - self.node_of(key);
        let id: String = redis::cmd("CLUSTER")
            .arg("MYID")
            .query(&mut self.nodes[other].connection())
            .expect("a node answers");
        let slot: u16 = redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(key)
            .query(&mut self.nodes[0].connection())
            .expect("a node answers");
        // The new owner first: the old one would send clients to a node that sends them back.
        for node in [other, 1 - other] {
            self.nodes[node].tell(&format!("CLUSTER SETSLOT {slot} NODE {id}"));
        }
    }
}

fn ask(node: &Redis, command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split(' ').collect();
    redis::cmd(words[0])
        .arg(&words[1..])
        .query(&mut node.connection())
        .expect("a node answers")
}
