//! Manifests that are refused, each with the exact words.

use tidegate::{
    manifest::{self, KindScope, Scope},
    revision::{File, Tree},
};

/// What it is, its files, and what is said.
type Case = (
    &'static str,
    &'static [(&'static str, &'static [u8])],
    &'static [&'static str],
);

const CASES: &[Case] = &[
    ("an UTF-16 file", &[("app/a.yaml", b"\xff\xfea\x00")], &["app/a.yaml:1:1: the file is UTF-16: save it as UTF-8"]),
    ("invalid UTF-8", &[("app/a.yaml", b"a: b\nc: \xc3(")], &["app/a.yaml:2:4: the file is not valid UTF-8 here: save it as UTF-8"]),
    ("a NUL character", &[("app/a.yaml", b"a: b\nc: \0")], &["app/a.yaml:2:4: the file holds a NUL character: remove it"]),
    ("an indent by tab", &[("app/a.yaml", b"metadata:\n\tname: x\n")], &["app/a.yaml:2:2: tabs disallowed within this context (block indentation)"]),
    ("a Git LFS pointer", &[("app/a.yaml", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")], &["app/a.yaml:1:1: this is a Git LFS pointer, not the file: commit the file itself"]),
    ("an HTML page", &[("app/a.yaml", b"\n<!DOCTYPE html>\n<html></html>\n")], &["app/a.yaml:1:1: this is an HTML page, not a manifest: a download probably failed"]),
    ("a merge conflict", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n<<<<<<< HEAD\n  a: b\n=======\n  a: c\n>>>>>>> x\n")], &["app/a.yaml:6:1: a merge conflict was committed: resolve it"]),
    ("a broken quote", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  a: 'b\n")], &["app/a.yaml:7:1: invalid indentation in multiline quoted scalar"]),
    ("a value that is two", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  a: b: c\n")], &["app/a.yaml:6:7: mapping values are not allowed in this context"]),
    ("a template around a value", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  a: {{ .Values.a }}\n")], &["app/a.yaml:6:7: a list or map cannot be a key; a template such as `{{ … }}` must be rendered before it is committed"]),
    ("a template around lines", &[("app/a.yaml", b"{{- if .Values.on }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n{{- end }}\n")], &["app/a.yaml:1:3: \"-\" is only valid inside a block; the file looks like a template: commit what it renders to"]),
    ("a broken document after a good one", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n---\nkind: [\n")], &["app/a.yaml:6:7: unclosed bracket '['"]),
    ("a key twice", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  a: b\n  a: c\n")], &["app/a.yaml:7:3: the key `a` is here twice: keep one"]),
    ("a key that is a boolean", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  on: b\n")], &["app/a.yaml:6:3: YAML reads this key as the boolean true: write it in quotes"]),
    ("a key that is null", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  ~: b\n")], &["app/a.yaml:6:3: YAML reads this key as null: write it in quotes"]),
    ("an unknown tag", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  a: !secret b\n")], &["app/a.yaml:6:14: the tag `!secret` is unknown: remove it"]),
    ("an unknown alias", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata: *base\n")], &["app/a.yaml:5:7: alias references unknown anchor"]),
    ("an alias within its anchor", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata: &d\n  a: [*d]\n")], &["app/a.yaml:6:7: the alias stands within its own anchor: write the value out"]),
    ("an infinite number", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  a: .inf\n")], &["app/a.yaml:6:6: `.inf` is no number that JSON can hold: write it in quotes"]),
    ("a number beyond 64 bits", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\ndata:\n  a: 18446744073709551616\n")], &["app/a.yaml:6:6: the number is too large to be kept exactly: write it in quotes if a string is meant"]),
    ("a broken JSON file", &[("app/a.json", b"{\"apiVersion\": \"v1\",\n \"kind\": }")], &["app/a.json:2:10: expected value"]),
    ("a second JSON value without a name", &[("app/a.json", b"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}\n{\"apiVersion\":\"v1\",\n \"kind\":\"ConfigMap\",\"metadata\":{}}")], &["app/a.json:3:21: metadata.name is missing: add it"]),
    ("a document that is a string", &[("app/a.yaml", b"hello\n")], &["app/a.yaml:1:1: the document is a string, not an object"]),
    ("a document that is a list", &[("app/a.yaml", b"- a\n")], &["app/a.yaml:1:1: the document is a list, not an object"]),
    ("no apiVersion", &[("app/a.yaml", b"kind: ConfigMap\nmetadata: {name: flags}\n")], &["app/a.yaml:1:1: apiVersion is missing: add it"]),
    ("no kind", &[("app/a.yaml", b"apiVersion: v1\nmetadata: {name: flags}\n")], &["app/a.yaml:1:1: kind is missing: add it"]),
    ("no metadata", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\n")], &["app/a.yaml:1:1: metadata.name is missing: add it"]),
    ("metadata that is a list", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: []\n")], &["app/a.yaml:3:1: metadata is a list, not a map"]),
    ("no name", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {}\n")], &["app/a.yaml:3:1: metadata.name is missing: add it"]),
    ("an empty name", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name:\n")], &["app/a.yaml:4:3: metadata.name is empty: write it"]),
    ("a name that is a number", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: 0123\n")], &["app/a.yaml:4:3: metadata.name is a number, not a string: write it in quotes"]),
    ("a name in upper case", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Flags\n")], &["app/a.yaml:4:3: `Flags` is no valid name: it must be at most 253 lower-case letters, digits, `-` and `.`, and each part must start and end with a letter or digit"]),
    ("a name that is a variable", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${APP}-flags\n")], &["app/a.yaml:4:3: `${APP}-flags` is no valid name: it must be at most 253 lower-case letters, digits, `-` and `.`, and each part must start and end with a letter or digit; it looks like a variable that nobody filled in"]),
    ("a name of 254 letters", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n")], &["app/a.yaml:4:3: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is no valid name: it must be at most 253 lower-case letters, digits, `-` and `.`, and each part must start and end with a letter or digit"]),
    ("a name with two dots", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a..b\n")], &["app/a.yaml:4:3: `a..b` is no valid name: it must be at most 253 lower-case letters, digits, `-` and `.`, and each part must start and end with a letter or digit"]),
    ("a Service that starts with a digit", &[("app/a.yaml", b"apiVersion: v1\nkind: Service\nmetadata:\n  name: 1web\n")], &["app/a.yaml:4:3: `1web` is no valid name: it must be at most 63 lower-case letters, digits and `-`, start with a letter and end with a letter or digit"]),
    ("generateName", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: flags-\n")], &["app/a.yaml:4:3: generateName makes another object at every apply: write metadata.name"]),
    ("a kind that is a variable", &[("app/a.yaml", b"apiVersion: v1\nkind: $(KIND)\nmetadata:\n  name: flags\n")], &["app/a.yaml:2:1: `$(KIND)` is no kind such as Deployment; it looks like a variable that nobody filled in"]),
    ("an apiVersion with two slashes", &[("app/a.yaml", b"apiVersion: apps/v1/beta\nkind: ConfigMap\nmetadata:\n  name: flags\n")], &["app/a.yaml:1:1: `apps/v1/beta` is no API version such as apps/v1"]),
    ("an apiVersion without a group before its slash", &[("app/a.yaml", b"apiVersion: /v1\nkind: ConfigMap\nmetadata:\n  name: flags\n")], &["app/a.yaml:1:1: `/v1` is no API version such as apps/v1"]),
    ("an apiVersion without a version", &[("app/a.yaml", b"apiVersion: apps/\nkind: Deployment\nmetadata:\n  name: web\n")], &["app/a.yaml:1:1: `apps/` is no API version such as apps/v1"]),
    ("an apiVersion that leads elsewhere", &[("app/a.yaml", b"apiVersion: ../v1\nkind: ConfigMap\nmetadata:\n  name: flags\n")], &["app/a.yaml:1:1: `../v1` is no API version such as apps/v1"]),
    ("what a cluster writes", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  uid: 3f\n  resourceVersion: \"7\"\n  creationTimestamp: 2024-01-01T00:00:00Z\n  generation: 3\n  selfLink: /x\n  managedFields: []\nstatus: {ready: true}\n")], &["app/a.yaml:5:3: metadata.uid is written by the cluster: remove it", "app/a.yaml:6:3: metadata.resourceVersion is written by the cluster: remove it", "app/a.yaml:7:3: metadata.creationTimestamp is written by the cluster: remove it", "app/a.yaml:8:3: metadata.generation is written by the cluster: remove it", "app/a.yaml:9:3: metadata.selfLink is written by the cluster: remove it", "app/a.yaml:10:3: metadata.managedFields is written by the cluster: remove it", "app/a.yaml:11:1: status is written by the cluster: remove it"]),
    ("an owner of another cluster", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  ownerReferences: [{apiVersion: v1, kind: Node, name: n, uid: u}]\n")], &["app/a.yaml:5:3: metadata.ownerReferences names the UID of another object, which no other cluster knows: remove it"]),
    ("an annotation that is a boolean", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  annotations:\n    prometheus.io/scrape: true\n")], &["app/a.yaml:6:5: `prometheus.io/scrape` is a boolean, not a string: write it in quotes"]),
    ("a label that is a number", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  labels:\n    version: 1.10\n")], &["app/a.yaml:6:5: `version` is a number, not a string: write it in quotes"]),
    ("labels that are a list", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  labels: [a]\n")], &["app/a.yaml:5:3: metadata.labels is a list, not a map"]),
    ("two faults in two files", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: A\n"), ("app/b.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: B\n")], &["app/a.yaml:4:3: `A` is no valid name: it must be at most 253 lower-case letters, digits, `-` and `.`, and each part must start and end with a letter or digit", "app/b.yaml:4:3: `B` is no valid name: it must be at most 253 lower-case letters, digits, `-` and `.`, and each part must start and end with a letter or digit"]),
    ("a SOPS document", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\nsops:\n  mac: ENC[AES256_GCM,data:x]\n")], &["app/a.yaml:5:1: the document is encrypted by SOPS, which is not supported: its ciphertext would be applied as it is"]),
    ("a foreign namespace", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  namespace: kube-system\n")], &["app/a.yaml:5:3: namespace `kube-system` is not allowed here: add it to spec.allow.namespaces, if it is meant"]),
    ("an invalid namespace", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  namespace: Kube_System\n")], &["app/a.yaml:5:3: `Kube_System` is no valid namespace: it must be at most 63 lower-case letters, digits and `-`, and start and end with a letter or digit"]),
    ("a namespace that is a number", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  namespace: 5\n")], &["app/a.yaml:5:3: metadata.namespace is a number, not a string: write it in quotes"]),
    ("a Namespace", &[("app/a.yaml", b"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n")], &["app/a.yaml:2:1: kind Namespace is not allowed here: add `Namespace` to spec.allow.kinds, and set spec.allow.clusterScoped, if it is meant"]),
    ("a Role", &[("app/a.yaml", b"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: r\n")], &["app/a.yaml:2:1: kind Role is not allowed here: add `rbac.authorization.k8s.io/Role` to spec.allow.kinds, if it is meant"]),
    ("a cluster-scoped kind with a namespace", &[("app/a.yaml", b"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  namespace: shop\n")], &["app/a.yaml:2:1: kind Namespace is not allowed here: add `Namespace` to spec.allow.kinds, and set spec.allow.clusterScoped, if it is meant", "app/a.yaml:5:3: a Namespace belongs to no namespace: remove metadata.namespace"]),
    ("a Job", &[("app/a.yaml", b"apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n")], &["app/a.yaml:2:1: a Job is not supported yet: keep it out of this path"]),
    ("a misspelt kind", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMpa\nmetadata:\n  name: flags\n")], &["app/a.yaml:2:1: kind ConfigMpa is not allowed here: add `ConfigMpa` to spec.allow.kinds, if it is meant; did you mean `ConfigMap` of `v1`?"]),
    ("a kind of another group", &[("app/a.yaml", b"apiVersion: v1\nkind: Deployment\nmetadata:\n  name: web\n")], &["app/a.yaml:2:1: kind Deployment is not allowed here: add `Deployment` to spec.allow.kinds, if it is meant; did you mean `Deployment` of `apps`?"]),
    ("a custom resource", &[("app/a.yaml", b"apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\n")], &["app/a.yaml:2:1: kind Widget is not allowed here: add `example.com/Widget` to spec.allow.kinds, if it is meant"]),
    ("the agent's own Deployment", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: tidegate\n")], &["app/a.yaml:4:3: Deployment/shop/tidegate belongs to the agent itself: install it by other means"]),
    ("a ledger", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: tidegate-web\n")], &["app/a.yaml:4:3: ConfigMap/shop/tidegate-web has a name that the agent keeps for its records: rename it"]),
    ("the same object twice in a file", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n")], &["app/a.yaml:6:1: ConfigMap/shop/flags is already at app/a.yaml:1:1: keep one of them"]),
    ("the same object twice in two files", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n"), ("app/b.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  namespace: shop\n")], &["app/b.yaml:1:1: ConfigMap/shop/flags is already at app/a.yaml:1:1: keep one of them"]),
    ("the same object in two versions", &[("app/a.yaml", b"apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n"), ("app/b.yaml", b"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n")], &["app/b.yaml:1:1: HorizontalPodAutoscaler/shop/web is already at app/a.yaml:1:1: keep one of them"]),
    ("a bad item of a list", &[("app/a.yaml", b"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: ok\n- kind: ConfigMap\n  metadata:\n    name: A\n")], &["app/a.yaml:8:3: apiVersion is missing: add it", "app/a.yaml:10:5: `A` is no valid name: it must be at most 253 lower-case letters, digits, `-` and `.`, and each part must start and end with a letter or digit"]),
    ("Deployment of extensions/v1beta1", &[("app/a.yaml", b"apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: extensions/v1beta1 Deployment was removed in Kubernetes 1.16: write apiVersion: apps/v1"]),
    ("Ingress of extensions/v1beta1", &[("app/a.yaml", b"apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: extensions/v1beta1 Ingress was removed in Kubernetes 1.22: write apiVersion: networking.k8s.io/v1"]),
    ("Deployment of apps/v1beta1", &[("app/a.yaml", b"apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: apps/v1beta1 Deployment was removed in Kubernetes 1.16: write apiVersion: apps/v1"]),
    ("Deployment of apps/v1beta2", &[("app/a.yaml", b"apiVersion: apps/v1beta2\nkind: Deployment\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: apps/v1beta2 Deployment was removed in Kubernetes 1.16: write apiVersion: apps/v1"]),
    ("PodDisruptionBudget of policy/v1beta1", &[("app/a.yaml", b"apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: policy/v1beta1 PodDisruptionBudget was removed in Kubernetes 1.25: write apiVersion: policy/v1"]),
    ("PodSecurityPolicy of policy/v1beta1", &[("app/a.yaml", b"apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: policy/v1beta1 PodSecurityPolicy was removed in Kubernetes 1.25: remove the object; nothing took its place"]),
    ("Ingress of networking.k8s.io/v1beta1", &[("app/a.yaml", b"apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: networking.k8s.io/v1beta1 Ingress was removed in Kubernetes 1.22: write apiVersion: networking.k8s.io/v1"]),
    ("CronJob of batch/v1beta1", &[("app/a.yaml", b"apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: batch/v1beta1 CronJob was removed in Kubernetes 1.25: write apiVersion: batch/v1"]),
    ("HorizontalPodAutoscaler of autoscaling/v2beta2", &[("app/a.yaml", b"apiVersion: autoscaling/v2beta2\nkind: HorizontalPodAutoscaler\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: autoscaling/v2beta2 HorizontalPodAutoscaler was removed in Kubernetes 1.26: write apiVersion: autoscaling/v2"]),
    ("FlowSchema of v1beta3", &[("app/a.yaml", b"apiVersion: flowcontrol.apiserver.k8s.io/v1beta3\nkind: FlowSchema\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema was removed in Kubernetes 1.32: write apiVersion: flowcontrol.apiserver.k8s.io/v1"]),
    ("CertificateSigningRequest of v1beta1", &[("app/a.yaml", b"apiVersion: certificates.k8s.io/v1beta1\nkind: CertificateSigningRequest\nmetadata: {name: x}\n")], &["app/a.yaml:1:1: certificates.k8s.io/v1beta1 CertificateSigningRequest was removed in Kubernetes 1.22: write apiVersion: certificates.k8s.io/v1"]),
    ("a mark of ours", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    tidegate.dev/owner: me\n")], &["app/a.yaml:6:5: `tidegate.dev/owner` is written by tidegate: remove it"]),
    ("a label of ours", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    tidegate.dev/gitsync: x\n")], &["app/a.yaml:6:5: `tidegate.dev/gitsync` is written by tidegate: remove it"]),
    ("a request in Git", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    tidegate.dev/pause: x\n")], &["app/a.yaml:6:5: `tidegate.dev/pause` is a request to the agent and no part of a manifest: remove it"]),
    ("an unknown mark", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n    tidegate.dev/rolout: x\n")], &["app/a.yaml:6:5: `tidegate.dev/rolout` is unknown to tidegate; did you mean `tidegate.dev/rollout`?"]),
    ("a policy among the labels", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    tidegate.dev/rollout.soak: 30s\n")], &["app/a.yaml:6:5: `tidegate.dev/rollout.soak` is an annotation, not a label: move it to metadata.annotations"]),
    ("a policy of a ConfigMap", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  annotations:\n    tidegate.dev/rollout: \"soak: 5s\"\n")], &["app/a.yaml:6:5: `tidegate.dev/rollout` has no effect on a ConfigMap: only a Deployment, a StatefulSet or a DaemonSet is rolled; remove it"]),
    ("prune of another value", &[("app/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flags\n  annotations:\n    tidegate.dev/prune: disabled\n")], &["app/a.yaml:6:5: `tidegate.dev/prune` can only be `Disabled`: write that or remove it"]),
    ("both limits zero", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  strategy:\n    rollingUpdate:\n      maxSurge: 0\n      maxUnavailable: 0%\n")], &["app/a.yaml:7:5: maxSurge and maxUnavailable are both 0, so that no pod can be replaced: write `maxSurge: 1`"]),
    ("a selector that finds no pod", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: wbe}\n")], &["app/a.yaml:7:19: the selector wants `app: web`, which the pod template does not have: add it to spec.template.metadata.labels"]),
    ("a policy on the pods", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    metadata:\n      annotations:\n        tidegate.dev/rollout: x\n")], &["app/a.yaml:9:9: `tidegate.dev/rollout` has no effect on a pod template: move it to the metadata.annotations of the workload"]),
    ("several labels and policies that stray", &[("app/a.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector:\n    matchLabels: {app: web, tier: front}\n  template:\n    metadata:\n      labels: {tidegate.dev/rollout: x}\n      annotations:\n        tidegate.dev/prune: x\n")], &["app/a.yaml:7:19: the selector wants `app: web`, which the pod template does not have: add it to spec.template.metadata.labels", "app/a.yaml:7:29: the selector wants `tier: front`, which the pod template does not have: add it to spec.template.metadata.labels", "app/a.yaml:10:16: `tidegate.dev/rollout` has no effect on a pod template: move it to the metadata.annotations of the workload", "app/a.yaml:12:9: `tidegate.dev/prune` has no effect on a pod template: move it to the metadata.annotations of the workload"]),
    ("a kustomization", &[("app/base/kustomization.yaml", b"resources: []\n")], &["app/base/kustomization.yaml:1:1: rendering by kustomize is not supported yet: commit the output of `kustomize build`"]),
    ("a chart", &[("app/Chart.yaml", b"name: x\n")], &["app/Chart.yaml:1:1: rendering by helm is not supported yet: commit the output of `helm template`"]),
    ("a policy file of another name", &[("app/.tidegate.yml", b"soak: 5s\n")], &["app/.tidegate.yml:1:1: this file would not be read: rename it to .tidegate.yaml"]),
    ("a policy for no workload", &[("app/web.yaml", b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n"), ("app/.tidegate.yaml", b"workloads:\n- {kind: Deployment, name: wbe, soak: 5s}\n")], &["app/.tidegate.yaml:2:3: there is no Deployment `wbe` in this directory or below; did you mean `web`?"]),
    ("two documents in a policy file", &[("app/.tidegate.yaml", b"soak: 5s\n---\nsoak: 6s\n")], &["app/.tidegate.yaml:3:1: a policy file holds one document: merge them"]),
    ("a bad policy file without workloads", &[("app/.tidegate.yaml", b"sok: 5s\n")], &["app/.tidegate.yaml:1:1: sok: is no field of a rollout policy; did you mean `soak`?"]),
];

#[test]
fn every_bad_manifest_is_refused_in_these_words() {
    for (name, files, messages) in CASES {
        let said = match manifest::open(&tree(files)).judge(&scope(), &kinds) {
            Ok(desired) => vec![format!("accepted: {desired:?}")],
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(said, *messages, "{name}");
    }
}

fn tree(files: &[(&str, &[u8])]) -> Tree {
    let file = |(path, bytes): &(&str, &[u8])| File {
        path: (*path).to_owned(),
        bytes: bytes.to_vec(),
    };
    Tree {
        root: "app".to_owned(),
        files: files.iter().map(file).collect(),
        unread: Vec::new(),
        notes: Vec::new(),
    }
}

fn scope() -> Scope {
    Scope {
        target_namespace: "shop".to_owned(),
        own: ["apps/Deployment/shop/tidegate"
            .parse()
            .expect("it is a key")]
        .into(),
        ..Scope::default()
    }
}

/// What discovery would say of the kinds that the table uses.
fn kinds(api_version: &str, kind: &str) -> Option<KindScope> {
    match (api_version, kind) {
        ("v1", "Namespace") => Some(KindScope::Cluster),
        ("v1", "Deployment" | "ConfigMpa") | (_, "Widget") => None,
        _ => Some(KindScope::Namespaced),
    }
}
