//! Reads and writes of single objects.

use std::collections::BTreeMap;

use kube::core::params::{
    DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions,
};
use serde_json::{Value, json};

use super::{
    Cause, Cluster, Deletion, Kind, Refusal,
    call::{Call, Effect},
    kinds::collection,
};
use crate::object::{Object, ObjectId, mark};

/// Objects of one page of a list.
const PAGE: u32 = 500;

/// Objects of a kind, in one namespace or in all, that carry all of `labels`.
pub(super) struct Selection<'a> {
    pub(super) kind: &'a Kind,
    pub(super) namespace: Option<&'a str>,
    pub(super) labels: &'a BTreeMap<String, String>,
}

impl Cluster {
    /// Reads an object from etcd (no cache); `None` where it does not exist, and where the cluster
    /// does not serve its kind: with a definition all its objects go.
    ///
    /// # Errors
    /// Where the API server refuses or cannot be reached.
    pub async fn get(&self, api_version: &str, id: &ObjectId) -> Result<Option<Object>, Refusal> {
        let call = Call::on("get", api_version, id, Effect::Nothing);
        let found = async {
            let home = self.home(&call, api_version, id).await?;
            self.ask(&call, home.get(&id.name, &GetParams::default()))
                .await
        };
        match found.await {
            Ok(answer) => object(&call, answer).map(Some),
            Err(Refusal {
                cause: Cause::NotFound | Cause::NamespaceMissing | Cause::KindUnknown { .. },
                ..
            }) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Lists the objects of a kind, in one namespace or in all, that carry all of `labels`.
    ///
    /// # Errors
    /// Where the API server refuses or cannot be reached.
    pub async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        labels: &BTreeMap<String, String>,
    ) -> Result<Vec<Object>, Refusal> {
        let call = Call::over("list", api_version, kind, namespace);
        let kind = self.served(&call, api_version, kind).await?;
        let selection = Selection {
            kind: &kind,
            namespace,
            labels,
        };
        let mut objects = Vec::new();
        self.pages(&call, selection, |object| objects.push(object))
            .await?;
        Ok(objects)
    }

    /// Hands over every object of a selection and returns the list's resource version.
    pub(super) async fn pages(
        &self,
        call: &Call,
        selection: Selection<'_>,
        mut each: impl FnMut(Object),
    ) -> Result<String, Refusal> {
        let Selection {
            kind,
            namespace,
            labels,
        } = selection;
        let home = collection(call, kind, namespace)?;
        let mut page = ListParams::default().limit(PAGE);
        page.label_selector = selector(labels);
        loop {
            let mut list = self.ask(call, home.list(&page)).await?;
            for mut item in list["items"]
                .as_array_mut()
                .map(std::mem::take)
                .unwrap_or_default()
            {
                item["apiVersion"] = json!(kind.api_version);
                item["kind"] = json!(kind.kind);
                each(object(call, item)?);
            }
            match list["metadata"]["continue"]
                .as_str()
                .filter(|token| !token.is_empty())
            {
                Some(token) => page.continue_token = Some(token.to_owned()),
                None => {
                    let version = list["metadata"]["resourceVersion"].as_str();
                    return Ok(version.unwrap_or_default().to_owned());
                }
            }
        }
    }

    /// Asks what a server-side apply by `tidegate` would make of the object; changes nothing.
    /// Unknown fields are refused; fields of other managers would be taken over.
    ///
    /// # Errors
    /// Where the API server refuses the object or cannot be reached.
    pub async fn dry_run(&self, object: &Object) -> Result<Object, Refusal> {
        self.patch_apply("dry run", object, mark::MANAGER, Effect::Nothing)
            .await
    }

    /// Asks what the object would be if it were created under a name that is not in use: it goes
    /// through defaulting and admission as a new one, and immutable fields do not matter.
    ///
    /// # Errors
    /// Where the API server refuses the object or cannot be reached.
    pub async fn dry_run_as_new(&self, object: &Object, name: &str) -> Result<Object, Refusal> {
        let mut new = object.clone();
        new.set(&["metadata", "name"], json!(name));
        new.remove(&["metadata", "resourceVersion"]);
        new.remove(&["metadata", "uid"]);
        self.dry_run(&new).await
    }

    /// Applies the object server-side: all fields that `manager` shall own, by force, unknown
    /// fields refused. A `metadata.resourceVersion` in it is an optimistic lock; **set
    /// `metadata.uid` with it**, for without the UID the API server creates an object that was
    /// deleted meanwhile (measured on 1.36).
    ///
    /// # Errors
    /// Where the API server refuses the object or cannot be reached; [`Cause::Conflict`] where the
    /// lock does not fit.
    pub async fn apply(&self, object: &Object, manager: &str) -> Result<Object, Refusal> {
        self.patch_apply("apply", object, manager, Effect::Writes)
            .await
    }

    async fn patch_apply(
        &self,
        verb: &str,
        wanted: &Object,
        manager: &str,
        effect: Effect,
    ) -> Result<Object, Refusal> {
        let (api_version, id) = (wanted.api_version(), wanted.id());
        let call = Call::on(verb, api_version, &id, effect);
        let home = self.home(&call, api_version, &id).await?;
        let mut options = PatchParams::apply(manager).force().validation_strict();
        options.dry_run = effect == Effect::Nothing;
        let request = home.patch(&id.name, &options, &Patch::Apply(wanted.value()));
        object(&call, self.ask_in_turn(&call, request).await?)
    }

    /// Changes an object by a JSON merge patch; a `metadata.resourceVersion` in it is an optimistic
    /// lock. Unknown fields are refused.
    ///
    /// # Errors
    /// Where the API server refuses the patch or cannot be reached; [`Cause::Conflict`] where the
    /// lock does not fit.
    pub async fn merge(
        &self,
        api_version: &str,
        id: &ObjectId,
        patch: &Value,
        manager: &str,
    ) -> Result<Object, Refusal> {
        let call = Call::on("patch", api_version, id, Effect::Writes);
        let home = self.home(&call, api_version, id).await?;
        let mut options = PatchParams::default().validation_strict();
        options.field_manager = Some(manager.to_owned());
        let request = home.patch(&id.name, &options, &Patch::Merge(patch));
        object(&call, self.ask(&call, request).await?)
    }

    /// Creates an object as `tidegate`.
    ///
    /// # Errors
    /// [`Cause::AlreadyExists`], or where the API server refuses or cannot be reached.
    pub async fn create(&self, new: &Object) -> Result<Object, Refusal> {
        let (api_version, id) = (new.api_version(), new.id());
        let call = Call::on("create", api_version, &id, Effect::Writes);
        let home = self.home(&call, api_version, &id).await?;
        let options = PostParams {
            dry_run: false,
            field_manager: Some(mark::MANAGER.to_owned()),
        };
        let body = new.value().to_string().into_bytes();
        object(&call, self.ask(&call, home.create(&options, body)).await?)
    }

    /// Deletes the object that has this UID, and this resource version where one is given; what it
    /// owns is collected in the background.
    ///
    /// # Errors
    /// [`Cause::Conflict`] where the resource version does not fit, or where the API server
    /// refuses or cannot be reached.
    pub async fn delete(
        &self,
        api_version: &str,
        id: &ObjectId,
        uid: &str,
        resource_version: Option<&str>,
    ) -> Result<Deletion, Refusal> {
        let call = Call::on("delete", api_version, id, Effect::Writes);
        let home = self.home(&call, api_version, id).await?;
        let options = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: resource_version.map(ToOwned::to_owned),
        });
        match self.ask(&call, home.delete(&id.name, &options)).await {
            Ok(answer) if answer["kind"] == "Status" => Ok(Deletion::Gone),
            Ok(answer) => {
                let held = Object::new(answer).map(Box::new);
                Ok(held.map_or(Deletion::Gone, Deletion::Begun))
            }
            Err(Refusal {
                cause: Cause::NotFound | Cause::NamespaceMissing,
                ..
            }) => Ok(Deletion::Gone),
            Err(refusal) if refusal.cause == Cause::Conflict => {
                self.conflicting_delete(api_version, id, uid, refusal).await
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Looks which of the two preconditions did not hold.
    async fn conflicting_delete(
        &self,
        api_version: &str,
        id: &ObjectId,
        uid: &str,
        refusal: Refusal,
    ) -> Result<Deletion, Refusal> {
        match self.get(api_version, id).await? {
            None => Ok(Deletion::Gone),
            Some(live) if live.uid() != Some(uid) => Ok(Deletion::AnotherUid),
            Some(_) => Err(refusal),
        }
    }
}

/// The selector that all of `labels` make; `None` where there are none.
pub(super) fn selector(labels: &BTreeMap<String, String>) -> Option<String> {
    let terms: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    (!terms.is_empty()).then(|| terms.join(","))
}

/// Returns the answer as an object.
pub(super) fn object(call: &Call, answer: Value) -> Result<Object, Refusal> {
    Object::new(answer).ok_or_else(|| call.unanswered("the answer is no object".to_owned()))
}
