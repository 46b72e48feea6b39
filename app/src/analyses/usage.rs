//! How many analyses are used and left, in a line.

use doorward::{
    insights::AnalysisUsage,
    model::{Member, OrgRole},
    policy,
};
use leptos::prelude::*;

use crate::ui::{Ago, Meter, Notice, Tone, count};

/// Says whether a person may begin analyses at all.
pub(super) fn may_begin(member: &Member) -> bool {
    policy::may_manage(member, member.tenant, OrgRole::Operator).is_ok()
}

/// Says why none can be begun at the moment; `None` if one can.
pub(super) fn stops(usage: &AnalysisUsage) -> Option<String> {
    if let Some(limit) = usage.limit
        && usage.used >= limit
    {
        return Some(match limit {
            0 => "Your plan has no analyses.".to_owned(),
            _ => format!("All {} analyses of this month are used up.", count(limit)),
        });
    }
    if let Some((used, Some(limit))) = usage.team
        && used >= limit
    {
        return Some(format!("All {} analyses of the organisation's month are used up.", count(limit)));
    }
    if let Some(limit) = usage.stored_max
        && usage.stored >= limit
    {
        let (stored, limit) = (count(usage.stored), count(limit));
        return Some(format!(
            "{stored} analyses are kept, and the plan keeps {limit}: remove one, or ask whoever manages this \
             gateway for another plan."
        ));
    }
    let limit = usage.concurrent.filter(|limit| usage.running >= *limit)?;
    Some(match limit {
        1 => {
            "One analysis runs, and the plan allows one at a time: wait for its end, or cancel it.".to_owned()
        }
        _ => format!(
            "{limit} analyses run, and the plan allows no more at a time: wait for one to end, or cancel it."
        ),
    })
}

/// Draws how many analyses are used and left, when that begins anew, and how long they are kept.
pub(super) fn line(usage: &AnalysisUsage) -> impl IntoView + use<> {
    let AnalysisUsage { used, limit, running, concurrent, resets_at, retention_days, .. } = *usage;
    let month = match limit {
        Some(limit) => format!("{} of {} analyses used this month", count(used), count(limit)),
        None => format!("{} analyses this month, as many as you like", count(used)),
    };
    let at_once = match concurrent {
        Some(most) => format!("{running} of at most {most} running"),
        None => format!("{running} running"),
    };
    let kept = retention_days.map(|days| format!("kept for {days} days"));
    view! {
        <div class="grid max-w-xl gap-1.5 text-[13px] text-muted">
            <p class="flex flex-wrap gap-x-3">
                <span>{month}</span>
                <span>{at_once}</span>
                <span>"the next month begins " <Ago at=resets_at/></span>
                {kept.map(|kept| view! { <span>{kept}</span> })}
            </p>
            {limit.map(|limit| view! { <Meter title="Analyses used this month" part=used whole=limit/> })}
        </div>
    }
}

/// Says why none can be begun at the moment.
pub(super) fn notice(usage: &AnalysisUsage) -> Option<impl IntoView + use<>> {
    let text = stops(usage)?;
    let is_used_up = [Some((usage.used, usage.limit)), usage.team]
        .into_iter()
        .flatten()
        .any(|(used, limit)| limit.is_some_and(|limit| used >= limit));
    let resets_at = usage.resets_at;
    Some(view! {
        <Notice tone=Tone::Warn>
            <p>
                {text}
                {is_used_up.then(|| view! { " The next month begins " <Ago at=resets_at/> ". " <a href="/account">"See your plan"</a> })}
            </p>
        </Notice>
    })
}

#[cfg(test)]
mod tests {
    use doorward::clock::Ms;

    use super::*;

    const FREE: AnalysisUsage = AnalysisUsage {
        used: 49,
        limit: Some(50),
        team: None,
        running: 0,
        concurrent: Some(1),
        resets_at: Ms(0),
        stored: 0,
        stored_max: None,
        retention_days: Some(7),
    };

    #[test]
    fn the_plan_says_when_no_other_can_begin() {
        let used_up = AnalysisUsage { used: 50, ..FREE };
        let running = AnalysisUsage { running: 1, ..FREE };
        let unlimited = AnalysisUsage { limit: None, concurrent: None, running: 9, ..FREE };

        assert_eq!(stops(&FREE), None);
        assert_eq!(stops(&used_up).as_deref(), Some("All 50 analyses of this month are used up."));
        assert!(stops(&running).is_some_and(|why| why.contains("one at a time")));
        assert_eq!(stops(&unlimited), None);
        let of_team = AnalysisUsage { team: Some((9, Some(9))), ..FREE };
        assert!(stops(&of_team).is_some_and(|why| why.contains("organisation's month")));
        let kept = AnalysisUsage { stored: 3, stored_max: Some(3), ..FREE };
        assert!(stops(&kept).is_some_and(|why| why.contains("the plan keeps 3")));
    }
}
