//! Where the simulated API server differs from the real one, and why that is left so.
//!
//! Not among the cases: much of what the real one checks of values that no rollout turns on, such as
//! ports and addresses of Services, backends of Ingresses, schedules, types of Secrets and schemas of
//! definitions. The simulated one takes them.

/// Kubernetes' own controllers that are not simulated, since no rollout waits for them.
const NO_SLICES: &str = "nobody makes EndpointSlices: Services lead nowhere";
const NO_CLAIMS: &str = "nobody binds or protects claims";
/// The real control plane of the tests is one without machines.
const NO_ACCOUNTS: &str = "the tests' control plane gives pods no ServiceAccount, a cluster does";
const NO_COUNTS: &str = "the tests' control plane counts for no quota, a cluster does";
const NO_MACHINES: &str =
    "the tests' control plane has no kubelets to ask; the simulated ones answer";
const RIGHTS: &str = "whoever speaks to the simulated cluster may do everything";
/// Types.
const OLDER: &str = "the types are those of 1.33, without enumerations";
const NULLS: &str = "what is null is left out";
const EVENTS: &str = "Events are kept in the form of the core API, with their owners";
const FEWER: &str = "kinds that no rollout needs are left out";
/// Forms.
const JSON_ONLY: &str = "answers are JSON only";
const NO_OLD_OPENAPI: &str = "OpenAPI v2 has nothing in it";
const GO: &str = "the server's own types are printed as Go prints them";
const TOKENS: &str = "a token that continues a list is another one";
/// Rules.
const NO_TOKENS: &str = "there are no tokens";
const NO_RULES: &str = "rules in the Common Expression Language are not followed";
const AT_ONCE: &str = "a definition goes at once with all its objects";
const REVIEWS: &str = "what is only answered has no owners";
const TEMPLATE_GENERATION: &str = "the annotation of the template's generation has no owner";
const VERSIONS: &str = "a version that was never one is not told from one that is not served";

/// Story, call, reason.
#[rustfmt::skip]
pub(super) const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("create", "kubectl create token robot", NO_TOKENS),
    ("change", r#"kubectl patch pod solo -p '{"spec":{"nodeName":"other"}}'"#, GO),
    ("change", "kubectl logs solo", NO_MACHINES),
    ("change", "kubectl exec solo -- true", NO_MACHINES),
    ("describe", "kubectl describe pod solo --show-events=false", NO_ACCOUNTS),
    ("describe", "kubectl describe service web", NO_SLICES),
    ("describe", "kubectl describe ingress web", NO_SLICES),
    ("describe", "kubectl describe pvc disk", NO_CLAIMS),
    ("describe", "kubectl describe quota few", NO_COUNTS),
    ("describe", "kubectl describe ns NAMESPACE", NO_COUNTS),
    ("describe", "kubectl get pdb,ingress,networkpolicy,pvc,sa,role,rolebinding,quota,limitrange,lease", NO_COUNTS),
    ("describe", "kubectl get pdb,ingress,networkpolicy,pvc,quota,rolebinding -o wide", NO_COUNTS),
    ("describe", "kubectl get pod solo -o yaml", NULLS),
    ("get", "kubectl get endpointslices", NO_SLICES),
    ("discovery", "kubectl api-versions", FEWER),
    ("discovery", "kubectl api-resources --namespaced=false --api-group= -o name", FEWER),
    ("discovery", "kubectl api-resources --api-group= -o wide", FEWER),
    ("discovery", "kubectl explain deployment --recursive", OLDER),
    ("discovery", "kubectl explain job.spec.backoffLimit -o plaintext-openapiv2", NO_OLD_OPENAPI),
    ("discovery", "kubectl version", "the simulated server says that it is one"),
    ("discovery", "kubectl auth can-i --list --no-headers", RIGHTS),
    ("discovery", "kubectl get cs", FEWER),
    ("documents", "another version", VERSIONS),
    ("documents", "nothing that can be answered", JSON_ONLY),
    ("lists", "a bad token", TOKENS),
    ("kinds", "a daemon set", TEMPLATE_GENERATION),
    ("kinds", "another template of it", GO),
    ("kinds", "a pod", NO_ACCOUNTS),
    ("kinds", "a claim", NO_CLAIMS),
    ("kinds", "an event", EVENTS),
    ("kinds", "it among the old ones", EVENTS),
    ("kinds", "may I", REVIEWS),
    ("custom-kinds", "a rule that does not hold", NO_RULES),
    ("custom-kinds", "the definition goes", AT_ONCE),
    ("deletions", "two masters", GO),
    ("deletions", "a pod", NO_ACCOUNTS),
];
