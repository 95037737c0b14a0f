//! What `kubectl` does for scenarios, for machines without it: the few commands that they use, by
//! the same calls and under the same field managers.

use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use jiff::Timestamp;
use kube::api::{
    DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy,
};
use kube::{Api, Client, ResourceExt};
use serde_json::{Map, Value, json};
use tidegate::clock;

use super::look::objects;

const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) struct StandIn {
    client: Client,
    namespace: String,
}

/// A command line, read.
struct Words<'a> {
    plain: Vec<&'a str>,
    flags: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    /// `-f`, `-p` and `-l` take the next word, others what stands after `=`.
    fn read(arguments: &'a [String]) -> Self {
        let mut words = Self {
            plain: Vec::new(),
            flags: Vec::new(),
        };
        let mut rest = arguments.iter().map(String::as_str);
        while let Some(word) = rest.next() {
            if ["-f", "-p", "-l"].contains(&word) {
                words.flags.push((word, rest.next().unwrap_or_default()));
            } else if word.starts_with("--") {
                words.flags.push(word.split_once('=').unwrap_or((word, "")));
            } else {
                words.plain.push(word);
            }
        }
        words
    }

    fn flag(&self, name: &str) -> Option<&'a str> {
        let found = self.flags.iter().find(|flag| flag.0 == name);
        found.map(|flag| flag.1)
    }

    fn manager(&self, own: &str) -> PatchParams {
        PatchParams {
            field_manager: Some(self.flag("--field-manager").unwrap_or(own).to_owned()),
            ..PatchParams::default()
        }
    }
}

impl StandIn {
    pub(super) const fn new(client: Client, namespace: String) -> Self {
        Self { client, namespace }
    }

    /// Runs a command; returns what it prints, or its complaint.
    pub(super) async fn run(&self, arguments: &[String]) -> Result<String, String> {
        let words = Words::read(arguments);
        let done = match words.plain.as_slice() {
            ["annotate", what, change] => self.annotate(what, change, &words).await,
            ["apply"] => self.make(&words, true).await,
            ["create"] => self.make(&words, false).await,
            ["delete", all @ ..] => self.delete(all, &words).await,
            ["patch", what] => self.patch(what, &words).await,
            ["scale", what] => self.scale(what, &words).await,
            ["set", "env", what, variable] => self.set_env(what, variable, &words).await,
            ["set", "image", what, image] => self.set_image(what, image, &words).await,
            ["rollout", "history", what] => self.history(what).await,
            ["rollout", "pause", what] => {
                let paused = json!({"spec": {"paused": true}});
                self.roll(what, paused, &words).await
            }
            ["rollout", "restart", what] => self.restart(what, &words).await,
            ["rollout", "undo", what] => self.undo(what).await,
            other => panic!("the stand-in for kubectl does not know {other:?}"),
        };
        done.map_err(|refusal| refusal.to_string())
    }

    fn place<'w>(&self, what: &'w str) -> (Api<DynamicObject>, &'w str) {
        let (kind, name) = what.split_once('/').expect("kind/name");
        (objects(self.client.clone(), &self.namespace, kind), name)
    }

    async fn annotate(&self, what: &str, change: &str, words: &Words<'_>) -> kube::Result<String> {
        let (key, value) = change.split_once('=').expect("key=value");
        let patch = json!({"metadata": {"annotations": {key: value}}});
        let (api, name) = self.place(what);
        let params = words.manager("kubectl-annotate");
        api.patch(name, &params, &Patch::Merge(patch)).await?;
        Ok(String::new())
    }

    async fn make(&self, words: &Words<'_>, applies: bool) -> kube::Result<String> {
        let path = words.flag("-f").expect("a file");
        let text = std::fs::read_to_string(path).expect("the file is there");
        let mut object: Value = serde_yaml::from_str(&text).expect("the file is YAML");
        let own = if applies {
            let text = format!("{object}\n");
            let key = "kubectl.kubernetes.io/last-applied-configuration";
            object["metadata"]["annotations"][key] = text.into();
            "kubectl-client-side-apply"
        } else {
            "kubectl-create"
        };
        let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let params = PostParams {
            field_manager: words.manager(own).field_manager,
            ..PostParams::default()
        };
        let api = objects(self.client.clone(), &self.namespace, &kind);
        api.create(&params, &object).await?;
        Ok(String::new())
    }

    async fn delete(&self, all: &[&str], words: &Words<'_>) -> kube::Result<String> {
        // It never waits until they are gone.
        let others = words
            .flags
            .iter()
            .filter(|flag| **flag != ("--wait", "false"));
        assert_eq!(others.count(), 0, "by name only");
        for what in all {
            let (api, name) = self.place(what);
            let params = DeleteParams {
                propagation_policy: Some(PropagationPolicy::Background),
                ..DeleteParams::default()
            };
            api.delete(name, &params).await?;
        }
        Ok(String::new())
    }

    async fn patch(&self, what: &str, words: &Words<'_>) -> kube::Result<String> {
        let patch: Value =
            serde_json::from_str(words.flag("-p").expect("a patch")).expect("the patch is JSON");
        let patch = match words.flag("--type") {
            Some("merge") => Patch::Merge(patch),
            Some(other) => panic!("the stand-in for kubectl knows no patch of type {other}"),
            None => Patch::Strategic(patch),
        };
        let (api, name) = self.place(what);
        api.patch(name, &words.manager("kubectl-patch"), &patch)
            .await?;
        Ok(String::new())
    }

    async fn scale(&self, what: &str, words: &Words<'_>) -> kube::Result<String> {
        let replicas = words.flag("--replicas").expect("a number");
        let replicas: u32 = replicas.parse().expect("a number");
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let (api, name) = self.place(what);
        api.patch_scale(name, &words.manager("kubectl"), &patch)
            .await?;
        Ok(String::new())
    }

    async fn set_env(&self, what: &str, variable: &str, words: &Words<'_>) -> kube::Result<String> {
        let (name, value) = variable.split_once('=').expect("NAME=value");
        let container = what.split_once('/').map_or(what, |(_, name)| name);
        let container = json!({"name": container, "env": [{"name": name, "value": value}]});
        self.set(what, &container, words).await
    }

    async fn set_image(&self, what: &str, image: &str, words: &Words<'_>) -> kube::Result<String> {
        let (container, image) = image.split_once('=').expect("container=image");
        let container = json!({"name": container, "image": image});
        self.set(what, &container, words).await
    }

    async fn set(&self, what: &str, container: &Value, words: &Words<'_>) -> kube::Result<String> {
        let patch = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        let (api, name) = self.place(what);
        let params = words.manager("kubectl-set");
        api.patch(name, &params, &Patch::Strategic(patch)).await?;
        Ok(String::new())
    }

    async fn roll(&self, what: &str, patch: Value, words: &Words<'_>) -> kube::Result<String> {
        let (api, name) = self.place(what);
        let params = words.manager("kubectl-rollout");
        api.patch(name, &params, &Patch::Strategic(patch)).await?;
        Ok(String::new())
    }

    async fn restart(&self, what: &str, words: &Words<'_>) -> kube::Result<String> {
        let now: Timestamp = clock::now();
        let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
        let patch = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
        self.roll(what, patch, words).await
    }

    /// The ReplicaSets of a Deployment by revision, oldest first.
    async fn revisions(&self, name: &str) -> kube::Result<Vec<(u64, DynamicObject)>> {
        let sets = objects(self.client.clone(), &self.namespace, "replicaset");
        let sets = sets.list(&ListParams::default()).await?;
        let mut sets: Vec<_> = sets
            .into_iter()
            .filter(|set| {
                set.owner_references()
                    .iter()
                    .any(|owner| owner.name == name)
            })
            .map(|set| {
                let revision = set.annotations().get(REVISION);
                let revision = revision.and_then(|revision| revision.parse().ok());
                (revision.unwrap_or_default(), set)
            })
            .collect();
        sets.sort_by_key(|(revision, _)| *revision);
        Ok(sets)
    }

    async fn history(&self, what: &str) -> kube::Result<String> {
        let (_, name) = self.place(what);
        let mut text = format!("deployment.apps/{name} \nREVISION  CHANGE-CAUSE\n");
        for (revision, set) in self.revisions(name).await? {
            let cause = set.annotations().get("kubernetes.io/change-cause");
            let cause = cause.map_or("<none>", String::as_str);
            text += &format!("{revision}         {cause}\n");
        }
        Ok(text)
    }

    /// Back to the revision before, template and annotations, by a JSON patch.
    async fn undo(&self, what: &str) -> kube::Result<String> {
        let (api, name) = self.place(what);
        let sets = self.revisions(name).await?;
        let (_, before) = sets.iter().rev().nth(1).expect("there is one before");
        let mut template = before.data["spec"]["template"].clone();
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            labels.remove("pod-template-hash");
        }
        let live = api.get(name).await?;
        let own = [
            "kubectl.kubernetes.io/last-applied-configuration",
            REVISION,
            "deployment.kubernetes.io/revision-history",
            "deployment.kubernetes.io/desired-replicas",
            "deployment.kubernetes.io/max-replicas",
            "deprecated.deployment.rollback.to",
        ];
        let kept = live.annotations().iter();
        let kept = kept.filter(|(key, _)| own.contains(&key.as_str()));
        let theirs = before.annotations().iter();
        let theirs = theirs.filter(|(key, _)| !own.contains(&key.as_str()));
        let annotations: Map<String, Value> = kept
            .chain(theirs)
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        let patch = json!([
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "replace", "path": "/metadata/annotations", "value": annotations},
        ]);
        let path = format!("{}?fieldManager=kubectl", place(&self.namespace, name));
        let request = Request::patch(path)
            .header(CONTENT_TYPE, "application/json-patch+json")
            .body(patch.to_string().into_bytes())
            .expect("it is a request");
        self.client.request::<Value>(request).await?;
        Ok(String::new())
    }
}

fn place(namespace: &str, deployment: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}")
}
