//! What each layer says, in words. Pure.

use super::{Cure, Explanation, Layer, Question, Showing, Step, Told, Verdict};
use crate::{
    clock::Ms,
    model::{
        Access, AccessLevel, ApiKey, Auth, Grant, HealthState, KeyScope, Preset, PresetStatus, Principal,
        Scopes, Source, Visibility,
    },
    policy,
    presets::{ToolEnd, ToolStory},
    quota::{Limited, Standing, Usage},
    sources::SignedIn,
};

/// An explanation under way.
pub(super) struct Steps<'a> {
    question: &'a Question,
    /// Whether whoever asks owns the preset, and may know everything of its sources.
    owns: bool,
    /// Whether whoever asks may know what is the caller's own.
    knows: bool,
    steps: Vec<Step>,
    /// What would mend a refusal, with the layer it is of.
    cures: Vec<(Layer, Cure)>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(question: &'a Question, owns: bool, knows: bool) -> Self {
        Self { question, owns, knows, steps: Vec::new(), cures: Vec::new() }
    }

    /// Returns the tool that is asked for, by the name callers know.
    pub(super) fn tool(&self) -> Option<&'a str> {
        self.question.tool.as_deref()
    }

    pub(super) fn passes(&mut self, layer: Layer, says: String) {
        self.step(layer, Verdict::Passes, says);
    }

    /// There is no such preset, or none that whoever asks may know of.
    pub(super) fn missing(&mut self) {
        let says = "there is no preset at this address, or it is not shared with you".to_owned();
        self.refuses(Layer::Address, says, "check the address, or ask whoever gave it to you", None);
    }

    /// What somebody signs in with is not looked at while nothing is shared with them.
    pub(super) fn key_unseen(&mut self, whom: &Principal) {
        match whom {
            Principal::Anonymous => self.no_key(),
            Principal::Member(member) => {
                let says = format!("not looked at before the preset is shared with {}", member.handle);
                self.step(Layer::Key, Verdict::Open, says);
            }
        }
    }

    pub(super) fn key(
        &mut self,
        whom: &Principal,
        preset: &Preset,
        keys: &[ApiKey],
        grants: &[Grant],
        tool: Option<&ToolStory>,
        now: Ms,
    ) {
        if is_open(preset) {
            return self.passes(Layer::Key, "this preset asks for no key".to_owned());
        }
        let Principal::Member(member) = whom else { return self.no_key() };
        let who = &member.handle;
        let works = |key: &&ApiKey| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now);
        let reaches = |key: &&ApiKey| match &key.scope {
            KeyScope::Everything => true,
            KeyScope::Presets(presets) => presets.contains(&preset.id),
        };
        let usable = keys.iter().filter(works).filter(reaches).count();
        let tool = tool.filter(|tool| self.question.tool.is_some() && tool.end == ToolEnd::Published);
        let (given, narrow): (Vec<_>, Vec<_>) = grants.iter().partition(|grant| gives(grant, tool));
        let what = self.question.tool.as_ref().map_or("its tools".to_owned(), |tool| format!("`{tool}`"));
        let connect = format!("/presets/{}/connect", preset.id);
        match (usable, given.len(), narrow.len()) {
            (0, 0, 0) if keys.iter().any(|key| works(&key)) => {
                let says = format!("{who} has API keys, and none that reaches this preset");
                let fix = "make an API key that reaches it, or sign a client in";
                self.refuses(Layer::Key, says, fix, Some("/keys"));
            }
            (0, 0, 0) => {
                let says = format!("{who} has no API key that works, and no client is signed in");
                let fix = "make an API key, or give a client the address and sign it in";
                self.refuses(Layer::Key, says, fix, Some(&connect));
            }
            (0, 0, _) => {
                let says = format!("the client that {who} let in was not given {what}");
                let fix = "take its access back and sign it in again with all that it needs";
                self.refuses(Layer::Key, says, fix, Some("/grants"));
            }
            (_, _, 0) => self.passes(Layer::Key, reaching(who.as_str(), usable, given.len())),
            _ => {
                let also = format!("; a client that was let in without {what} is refused");
                let says = reaching(who.as_str(), usable, given.len()) + &also;
                self.step(Layer::Key, Verdict::Warns, says);
            }
        }
    }

    fn no_key(&mut self) {
        let says = "the call carries no key, and this preset asks for one".to_owned();
        self.refuses(Layer::Key, says, "make an API key and send it with every call", Some("/keys"));
    }

    /// Says whether the preset is shared with whoever calls.
    pub(super) fn access(&mut self, whom: &Principal, preset: &Preset, access: &Access, now: Ms) -> bool {
        let sharing = format!("/presets/{}/sharing", preset.id);
        let Principal::Member(member) = whom else {
            if is_open(preset) {
                self.passes(Layer::Access, "the preset is public, and asks nobody who they are".to_owned());
                return true;
            }
            let says = format!("the preset is {}, and asks who calls", shown(preset.visibility));
            self.refuses(Layer::Access, says, "share it with the person who calls", Some(&sharing));
            return false;
        };
        let who = &member.handle;
        match policy::may_open(member, preset, access, AccessLevel::Viewer, now) {
            Ok(permit) if permit.owns() => {
                self.passes(Layer::Access, format!("{who} owns the preset"));
                true
            }
            Ok(permit) => {
                self.passes(Layer::Access, format!("{who} may use it, as {}", permit.level()));
                true
            }
            Err(_) => {
                let says = match preset.visibility {
                    Visibility::Private => format!("the preset is private, and {who} does not own it"),
                    Visibility::InviteOnly | Visibility::Public => {
                        format!("{who} is not on the access list")
                    }
                };
                let fix = format!("put {who} on the access list");
                self.refuses(Layer::Access, says, &fix, Some(&sharing));
                false
            }
        }
    }

    pub(super) fn status(&mut self, preset: &Preset, now: Ms) {
        let settings = format!("/presets/{}/settings", preset.id);
        match preset.status {
            PresetStatus::Active if preset.has_expired(now) => {
                self.owners(
                    Layer::Status,
                    "the preset has come to its end",
                    "give it a later last day",
                    &settings,
                );
            }
            PresetStatus::Active => self.passes(Layer::Status, "the preset answers".to_owned()),
            PresetStatus::Disabled => {
                self.owners(Layer::Status, "the preset is switched off", "switch it on", &settings);
            }
            PresetStatus::Archived => {
                self.owners(Layer::Status, "the preset is archived", "take it out again", &settings);
            }
        }
    }

    pub(super) fn sources(&mut self, told: &[Told]) {
        // Where no tool is named, one source that works is enough: its tools do.
        let is_of_one =
            self.question.tool.is_some() && told.iter().any(|told| told.story.end != ToolEnd::Unlisted);
        let one_works = !is_of_one && told.iter().any(Told::works);
        for told in told {
            let source = &told.story.source;
            let named = match self.owns {
                true => format!("the data source {}", source.name),
                false => "a data source".to_owned(),
            };
            let before = self.steps.len();
            self.health(source, &named);
            if source.enabled {
                self.credential(told, &named);
            }
            for step in self.steps[before..].iter_mut().filter(|_| one_works) {
                if step.verdict == Verdict::Refuses {
                    step.verdict = Verdict::Warns;
                }
            }
        }
        if told.is_empty() {
            self.passes(Layer::Health, "no data source is asked".to_owned());
            self.passes(Layer::Credential, "none is needed".to_owned());
        }
    }

    fn health(&mut self, source: &Source, named: &str) {
        let path = format!("/sources/{}", source.id);
        if !source.enabled {
            return self.owners(Layer::Health, &format!("{named} is switched off"), "switch it on", &path);
        }
        match source.health.state {
            HealthState::Healthy => self.passes(Layer::Health, format!("{named} works")),
            HealthState::Unknown => {
                self.step(Layer::Health, Verdict::Warns, format!("{named} was not tried yet"));
            }
            HealthState::Failing => {
                let says = match self.owns {
                    true => format!("{named} fails: {}", source.health.detail),
                    false => format!("{named} does not answer at the moment"),
                };
                self.owners(Layer::Health, &says, "test it, and mend what the test names", &path);
            }
        }
    }

    fn credential(&mut self, told: &Told, named: &str) {
        let source = &told.story.source;
        let who = self.question.whom.as_ref().map_or("nobody", |whom| whom.as_str());
        match &told.credential {
            Showing::Open => {}
            Showing::Kept if source.auth_kind == Auth::default().word() => {
                self.passes(Layer::Credential, format!("{named} asks for none"));
            }
            Showing::Kept => {
                self.passes(Layer::Credential, format!("{named} is called with the one its owner entered"));
            }
            Showing::SignedIn(signed_in) if signed_in.of_caller => {
                self.passes(Layer::Credential, format!("{who} has signed in to {named}"));
            }
            Showing::SignedIn(_) => {
                self.passes(Layer::Credential, format!("{named} is called with the sign-in of its owner"));
            }
            Showing::Missing(SignedIn { connection: Some(id), of_caller: true }) => {
                let says = format!("{who} has not signed in to {named}, which calls run with");
                let path = format!("/connections/{id}");
                self.refuses(Layer::Credential, says, "sign in to the data source", Some(&path));
            }
            Showing::Missing(SignedIn { connection: None, of_caller: true }) => {
                let says =
                    format!("{named} is called with the caller's own sign-in, and nobody knows who this is");
                let fix = "call with an API key, or sign a client in";
                self.refuses(Layer::Credential, says, fix, None);
            }
            Showing::Missing(SignedIn { connection, of_caller: false }) => {
                let path = connection.map_or("/connections".to_owned(), |id| format!("/connections/{id}"));
                let says = format!("nobody has signed in to {named}");
                self.owners(Layer::Credential, &says, "sign in to the data source", &path);
            }
            Showing::Sealed => {
                let path = format!("/sources/{}/edit", source.id);
                let says = format!("the credential for {named} cannot be opened");
                self.owners(Layer::Credential, &says, "enter it again", &path);
            }
        }
    }

    pub(super) fn tools(&mut self, told: &[Told]) {
        let Some(tool) = &self.question.tool else {
            let none = told.iter().all(|told| told.story.end == ToolEnd::Unlisted);
            return match none {
                false => self.passes(Layer::Hold, "the preset publishes tools".to_owned()),
                true => self.step(Layer::Hold, Verdict::Warns, "the preset publishes no tools".to_owned()),
            };
        };
        let tool = tool.clone();
        let missing = format!("the preset has no tool `{tool}`");
        let Some(Told { story, .. }) = told.first() else {
            return self.refuses(Layer::Hold, missing, "look at the list of its tools", None);
        };
        let tools = format!("/sources/{}/tools", story.source.id);
        match &story.end {
            ToolEnd::Published => self.passes(Layer::Hold, format!("`{tool}` is published")),
            ToolEnd::Unlisted => {
                self.refuses(Layer::Hold, missing, "look at the list of its tools", None);
            }
            ToolEnd::Held => {
                let says = format!("`{tool}` is new or changed, and held until its owner has looked");
                self.owners(Layer::Hold, &says, "look at it and accept it", &tools);
            }
            ToolEnd::Gone => {
                let says = format!("the data source does not list `{tool}` any more");
                self.owners(Layer::Hold, &says, "ask the data source, or take the tool out", &tools);
            }
            ToolEnd::NotTaken => {
                let says = format!("the preset does not take `{tool}`");
                self.owners(Layer::Hold, &says, "tick it among the preset's tools", &tools);
            }
            ToolEnd::Renamed { to } => {
                let says = format!("the preset publishes `{tool}` as `{to}`");
                self.refuses(Layer::Hold, says, &format!("call `{to}`"), None);
            }
            ToolEnd::Collides => {
                let says = format!("another tool of the preset is called `{tool}`");
                self.owners(Layer::Hold, &says, "expose one of them under another name", &tools);
            }
        }
    }

    /// What is left of the month: of whoever is charged, and of the team that owns the preset, if one does.
    pub(super) fn quota(&mut self, whom: &Principal, usage: &Usage, team: Option<&Usage>) {
        let whose = if whom.member().is_some() { "the caller's" } else { "the owner's" };
        let team = team.filter(|team| team.limit.is_some());
        let months = [(whose, usage, self.knows)].into_iter();
        let months: Vec<_> = months.chain(team.map(|team| ("the organisation's", team, self.owns))).collect();
        let used_up = months.iter().find(|(_, usage, _)| usage.left.is_some_and(|left| left <= 0));
        if let Some((whose, usage, knows)) = used_up {
            let resets = usage.resets_at;
            let says = match usage.limit.filter(|_| *knows) {
                Some(limit) => format!("{whose} plan has none of its {limit} calls left until {resets}"),
                None => format!("{whose} plan has no calls left until {resets}"),
            };
            return self.refuses(Layer::Quota, says, "wait, or ask an administrator for another plan", None);
        }
        let says = months.iter().map(|(whose, usage, knows)| match (usage.left, usage.limit) {
            (Some(left), Some(limit)) if *knows => {
                format!("{whose} plan has {left} of {limit} calls left this month")
            }
            (Some(_), Some(_)) => format!("{whose} plan has calls left this month"),
            _ => format!("{whose} plan has no limit of calls"),
        });
        let says = says.collect::<Vec<_>>().join(", and ");
        self.passes(Layer::Quota, says);
    }

    /// How fast calls may come. What is left of a person's or a source's own limits is theirs to know.
    pub(super) fn rate(&mut self, standing: &[Standing]) {
        let (owns, knows) = (self.owns, self.knows);
        let may_know = |one: &&Standing| match one.limited {
            Limited::Tool | Limited::Preset => true,
            Limited::SourceTool | Limited::Source => owns,
            Limited::Key | Limited::Person | Limited::Organisation | Limited::Rest => knows,
        };
        if standing.is_empty() {
            self.passes(Layer::Rate, "nothing limits how fast calls may come".to_owned());
        } else if !standing.iter().any(|one| may_know(&one)) {
            self.passes(Layer::Rate, "how fast calls may come is limited".to_owned());
        }
        for Standing { limited, rate, free, .. } in standing.iter().filter(may_know) {
            let says = format!("{} takes {rate}, of which {free} are free", limited.words());
            match free {
                0 => self.refuses(Layer::Rate, says, "call less often, or wait a moment", None),
                _ => self.passes(Layer::Rate, says),
            }
        }
    }

    pub(super) fn rest(&mut self, told: &[Told]) {
        for Told { story, .. } in told {
            let says = match &story.source.verdict {
                Some(verdict) => format!(
                    "the data source speaks {}; callers of any revision are translated",
                    verdict.revision
                ),
                None => "found out with the first call; callers of any revision are translated".to_owned(),
            };
            self.passes(Layer::Era, says);
            match story.flags.first() {
                None => self.passes(Layer::Name, "clients accept the name".to_owned()),
                Some(flag) => self.step(Layer::Name, Verdict::Warns, format!("the name {flag}")),
            }
        }
    }

    pub(super) fn end(mut self) -> Explanation {
        // Of several data sources each has its say, layer by layer.
        self.steps.sort_by_key(|step| step.layer as usize);
        let refused = self.steps.iter().position(|step| step.verdict == Verdict::Refuses);
        if let Some(refused) = refused {
            self.steps.truncate(refused + 1);
        }
        // Each layer stands there, so that the order is seen.
        for layer in Layer::ALL {
            if !self.steps.iter().any(|step| step.layer == *layer) {
                let says = String::new();
                self.steps.push(Step { layer: *layer, verdict: Verdict::Open, says });
            }
        }
        let refused = self.steps.iter().find(|step| step.verdict == Verdict::Refuses).map(|step| step.layer);
        let cure = self.cures.into_iter().find(|(layer, _)| Some(*layer) == refused).map(|(_, cure)| cure);
        Explanation { steps: self.steps, cure }
    }

    /// Refuses for something that the owner mends.
    fn owners(&mut self, layer: Layer, says: &str, fix: &str, path: &str) {
        if self.owns {
            self.refuses(layer, says.to_owned(), fix, Some(path));
        } else {
            let fix = format!("ask {}, who owns the preset", self.question.owner);
            self.refuses(layer, says.to_owned(), &fix, None);
        }
    }

    fn refuses(&mut self, layer: Layer, says: String, fix: &str, path: Option<&str>) {
        self.cures.push((layer, Cure { text: fix.to_owned(), path: path.map(str::to_owned) }));
        self.step(layer, Verdict::Refuses, says);
    }

    fn step(&mut self, layer: Layer, verdict: Verdict, says: String) {
        self.steps.push(Step { layer, verdict, says });
    }
}

impl Told {
    /// Says whether a call would reach the source, as far as is known.
    fn works(&self) -> bool {
        let Source { enabled, health, .. } = &self.story.source;
        let shows = matches!(self.credential, Showing::Kept | Showing::SignedIn(_));
        *enabled && health.state != HealthState::Failing && shows
    }
}

/// Says whether a client was given the tools of a preset, or this one.
fn gives(grant: &Grant, tool: Option<&ToolStory>) -> bool {
    let is_this = |story: &ToolStory| match &grant.tools {
        None => true,
        Some(tools) => {
            tools.iter().any(|given| given.source == story.source.id && given.name == story.source_tool)
        }
    };
    grant.scopes.covers(Scopes { tools: true, ..Scopes::NONE }) && tool.is_none_or(is_this)
}

/// Says what somebody may call with.
fn reaching(who: &str, keys: usize, clients: usize) -> String {
    match (keys, clients) {
        (_, 0) => format!("{who} has an API key that reaches the preset"),
        (0, _) => format!("{who} has signed a client in"),
        _ => format!("{who} has an API key that reaches the preset, and has signed a client in"),
    }
}

fn is_open(preset: &Preset) -> bool {
    preset.visibility == Visibility::Public && preset.anonymous
}

fn shown(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Private => "private",
        Visibility::InviteOnly => "for those invited",
        Visibility::Public => "public",
    }
}
