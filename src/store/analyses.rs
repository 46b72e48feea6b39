//! Analyses: how each is, what it found, and how many there are.

use sqlx::{FromRow, QueryBuilder, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{
        Analysis, AnalysisId, AnalysisReport, AnalysisState, AnalysisStep, Payer, SourceId, SourceName,
        StepState, TenantId, UserId,
    },
    store::{
        LIST_MAX, Result, SystemTx, Tx, changed, clean, like_pattern, on, read_json, read_word, write_json,
    },
};

/// Which analyses a list holds.
#[derive(Clone, Debug, Default)]
pub struct AnalysisFilter {
    /// With this text in the application's name or id, the source's name or who began it; any case.
    pub text: Option<String>,
    /// Of this source.
    pub source: Option<SourceId>,
    /// In this state.
    pub state: Option<AnalysisState>,
    /// Begun before this one: the next page after it.
    pub before: Option<AnalysisId>,
    /// At most so many; 0 means [`AnalysisFilter::LIMIT_DEFAULT`].
    pub limit: usize,
}

impl AnalysisFilter {
    /// How many analyses a page has when nothing is said.
    pub const LIMIT_DEFAULT: usize = 50;
}

/// An analysis, and until when the process that runs it is taken to be alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisRow {
    /// The analysis.
    pub analysis: Analysis,
    /// Says nothing once it has ended.
    pub alive_until: Ms,
}

impl AnalysisRow {
    /// Says whether it is said to run, but the process that ran it is gone.
    pub fn is_lost(&self, now: Ms) -> bool {
        self.analysis.state == AnalysisState::Running && self.alive_until < now
    }
}

/// What an analysis found.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalysisText {
    /// The numbers.
    pub report: AnalysisReport,
    /// The report as Markdown.
    pub narrative: String,
    /// The report in a model's words, and that model.
    pub rewritten: Option<(String, String)>,
}

/// How an analysis ends without a report.
#[derive(Clone, Debug)]
pub struct AnalysisEnd {
    /// Its organisation.
    pub tenant: TenantId,
    /// Which.
    pub id: AnalysisId,
    /// `Failed` or `Cancelled`.
    pub state: AnalysisState,
    /// Why.
    pub failure: Option<String>,
    /// When.
    pub at: Ms,
}

/// All that a list needs, without what an analysis found.
const COLUMNS: &str = "tenant_id, id, source_id, source_name, app_id, attempt, app_name, state, begun_by,
    begun_by_handle, begun_at, ended_at, alive_until, steps, tally, failure";

#[derive(FromRow)]
struct Row {
    tenant_id: TenantId,
    id: AnalysisId,
    source_id: Option<SourceId>,
    source_name: SourceName,
    app_id: String,
    attempt: Option<String>,
    app_name: String,
    state: String,
    begun_by: Option<UserId>,
    begun_by_handle: String,
    begun_at: Ms,
    ended_at: Option<Ms>,
    alive_until: Ms,
    steps: String,
    tally: String,
    failure: Option<String>,
}

impl Row {
    fn read(self) -> Result<AnalysisRow> {
        let analysis = Analysis {
            id: self.id,
            tenant: self.tenant_id,
            source: self.source_id,
            source_name: self.source_name,
            app_id: self.app_id,
            attempt: self.attempt,
            app_name: self.app_name,
            state: read_word("analyses.state", &self.state, AnalysisState::from_word)?,
            begun_by: self.begun_by,
            begun_by_handle: self.begun_by_handle,
            begun_at: self.begun_at,
            ended_at: self.ended_at,
            steps: read_json("analyses.steps", &self.steps)?,
            tally: read_json("analyses.tally", &self.tally)?,
            failure: self.failure,
        };
        Ok(AnalysisRow { analysis, alive_until: self.alive_until })
    }
}

#[derive(FromRow)]
struct TextRow {
    report: Option<String>,
    narrative: Option<String>,
    rewritten: Option<String>,
    rewritten_by: Option<String>,
}

impl Tx {
    /// Returns analyses of the organisation, the newest first.
    pub async fn list_analyses(&mut self, filter: &AnalysisFilter) -> Result<Vec<AnalysisRow>> {
        let tenant = self.tenant;
        let limit = if filter.limit > 0 { filter.limit } else { AnalysisFilter::LIMIT_DEFAULT };
        let limit = i64::try_from(limit).map_or(LIST_MAX, |limit| limit.min(LIST_MAX));
        let pattern = filter.text.as_deref().filter(|text| !text.is_empty()).map(like_pattern);
        let rows: Vec<Row> = on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new("select ");
            statement.push(COLUMNS).push(" from analyses where tenant_id = ").push_bind(tenant);
            if let Some(before) = filter.before {
                statement.push(" and id < ").push_bind(before);
            }
            if let Some(source) = filter.source {
                statement.push(" and source_id = ").push_bind(source);
            }
            if let Some(state) = filter.state {
                statement.push(" and state = ").push_bind(state.word());
            }
            if let Some(pattern) = &pattern {
                statement.push(
                    " and lower(app_name || ' ' || app_id || ' ' || source_name || ' ' || begun_by_handle) like ",
                );
                statement.push("lower(").push_bind(pattern).push(") escape '!'");
            }
            statement.push(" order by id desc limit ").push_bind(limit);
            statement.build_query_as().fetch_all(c).await
        })?;
        rows.into_iter().map(Row::read).collect()
    }

    /// Finds an analysis.
    pub async fn find_analysis(&mut self, id: AnalysisId) -> Result<Option<AnalysisRow>> {
        let tenant = self.tenant;
        let row: Option<Row> = on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new("select ");
            statement.push(COLUMNS).push(" from analyses where tenant_id = ").push_bind(tenant);
            statement.push(" and id = ").push_bind(id);
            statement.build_query_as().fetch_optional(c).await
        })?;
        row.map(Row::read).transpose()
    }

    /// Returns what an analysis found; `None` if there is no such analysis, or it found nothing.
    pub async fn analysis_text(&mut self, id: AnalysisId) -> Result<Option<AnalysisText>> {
        let tenant = self.tenant;
        let row: Option<TextRow> = on!(self, |c| {
            query_as(
                "select report, narrative, rewritten, rewritten_by from analyses where tenant_id = $1 and id = $2",
            )
            .bind(tenant)
            .bind(id)
            .fetch_optional(c)
            .await
        })?;
        let Some(TextRow { report: Some(report), narrative, rewritten, rewritten_by }) = row else {
            return Ok(None);
        };
        Ok(Some(AnalysisText {
            report: read_json("analyses.report", &report)?,
            narrative: narrative.unwrap_or_default(),
            rewritten: rewritten.zip(rewritten_by),
        }))
    }

    /// Notes how far a running analysis is, and that it is alive. `false` if it does not run any more.
    pub async fn set_analysis_steps(
        &mut self,
        id: AnalysisId,
        steps: &[AnalysisStep],
        alive_until: Ms,
    ) -> Result<bool> {
        let tenant = self.tenant;
        let steps = write_json("analyses.steps", &steps)?;
        let updated = changed!(
            self,
            query(
                "update analyses set steps = $3, alive_until = $4
                 where tenant_id = $1 and id = $2 and state = 'running'",
            )
            .bind(tenant)
            .bind(id)
            .bind(&steps)
            .bind(alive_until)
        );
        Ok(updated > 0)
    }

    /// Notes that the process that runs an analysis is alive. `false` if it does not run any more.
    pub async fn keep_analysis_alive(&mut self, id: AnalysisId, alive_until: Ms) -> Result<bool> {
        let tenant = self.tenant;
        let updated = changed!(
            self,
            query(
                "update analyses set alive_until = $3 where tenant_id = $1 and id = $2 and state = 'running'",
            )
            .bind(tenant)
            .bind(id)
            .bind(alive_until)
        );
        Ok(updated > 0)
    }

    /// Ends a running analysis with what it found: which application it was, how its steps went and how many
    /// findings there are come from `analysis`. `false` if it does not run any more.
    pub async fn finish_analysis(
        &mut self,
        analysis: &Analysis,
        report: &AnalysisReport,
        narrative: &str,
    ) -> Result<bool> {
        let tenant = self.tenant;
        let (steps, tally) = written(analysis)?;
        let report = write_json("analyses.report", report)?;
        let updated = changed!(
            self,
            query(
                "update analyses set state = 'done', attempt = $3, app_name = $4, ended_at = $5, steps = $6,
                    tally = $7, report = $8, narrative = $9
                 where tenant_id = $1 and id = $2 and state = 'running'",
            )
            .bind(tenant)
            .bind(analysis.id)
            .bind(analysis.attempt.as_deref().map(clean))
            .bind(clean(&analysis.app_name))
            .bind(analysis.ended_at)
            .bind(&steps)
            .bind(&tally)
            .bind(&report)
            .bind(clean(narrative))
        );
        Ok(updated > 0)
    }

    /// Keeps a report in a model's words beside the report itself. `false` if there is no such report any more.
    pub async fn set_analysis_rewritten(&mut self, id: AnalysisId, text: &str, model: &str) -> Result<bool> {
        let tenant = self.tenant;
        let updated = changed!(
            self,
            query(
                "update analyses set rewritten = $3, rewritten_by = $4
                 where tenant_id = $1 and id = $2 and state = 'done'",
            )
            .bind(tenant)
            .bind(id)
            .bind(clean(text))
            .bind(clean(model))
        );
        Ok(updated > 0)
    }

    /// Removes an analysis that has ended; `false` if there is none. The month it was charged to keeps it.
    pub async fn remove_analysis(&mut self, id: AnalysisId) -> Result<bool> {
        let tenant = self.tenant;
        let removed = changed!(
            self,
            query("delete from analyses where tenant_id = $1 and id = $2 and state <> 'running'")
                .bind(tenant)
                .bind(id)
        );
        Ok(removed > 0)
    }
}

impl SystemTx {
    /// Returns how many analyses of a person run, in whichever organisation that has no plan of its own to say how
    /// many may.
    pub async fn count_running_analyses(&mut self, user: UserId, now: Ms) -> Result<i64> {
        Ok(on!(self, |c| {
            query_scalar(
                "select count(*) from analyses a
                 where a.begun_by = $1 and a.state = 'running' and a.alive_until >= $2 and not exists (
                    select 1 from organisations o where o.id = a.tenant_id and o.plan is not null)",
            )
            .bind(user)
            .bind(now)
            .fetch_one(c)
            .await
        })?)
    }

    /// Returns how many analyses run in an organisation.
    pub async fn count_running_analyses_in(&mut self, tenant: TenantId, now: Ms) -> Result<i64> {
        Ok(on!(self, |c| {
            query_scalar(
                "select count(*) from analyses where tenant_id = $1 and state = 'running' and alive_until >= $2",
            )
            .bind(tenant)
            .bind(now)
            .fetch_one(c)
            .await
        })?)
    }

    /// Returns how many analyses an organisation keeps, those that run included.
    pub async fn count_analyses(&mut self, tenant: TenantId) -> Result<i64> {
        Ok(on!(self, |c| {
            query_scalar("select count(*) from analyses where tenant_id = $1").bind(tenant).fetch_one(c).await
        })?)
    }

    /// Adds an analysis that is about to run.
    pub async fn add_analysis(&mut self, analysis: &Analysis, alive_until: Ms) -> Result<()> {
        let (steps, tally) = written(analysis)?;
        on!(self, |c| {
            query(
                "insert into analyses (tenant_id, id, source_id, source_name, app_id, attempt, app_name, state,
                    begun_by, begun_by_handle, begun_at, alive_until, steps, tally)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            )
            .bind(analysis.tenant)
            .bind(analysis.id)
            .bind(analysis.source)
            .bind(&analysis.source_name)
            .bind(clean(&analysis.app_id))
            .bind(analysis.attempt.as_deref().map(clean))
            .bind(clean(&analysis.app_name))
            .bind(analysis.state.word())
            .bind(analysis.begun_by)
            .bind(&analysis.begun_by_handle)
            .bind(analysis.begun_at)
            .bind(alive_until)
            .bind(&steps)
            .bind(&tally)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Ends a running analysis without a report, and gives it back to the months it was charged to unless something
    /// had been read for it. `false` if it does not run any more; then nothing is given back either.
    pub async fn end_analysis(&mut self, end: &AnalysisEnd) -> Result<bool> {
        let ended: Option<(Option<UserId>, Ms, String)> = on!(self, |c| {
            query_as(
                "update analyses set state = $3, failure = $4, ended_at = $5
                 where tenant_id = $1 and id = $2 and state = 'running'
                 returning begun_by, begun_at, steps",
            )
            .bind(end.tenant)
            .bind(end.id)
            .bind(end.state.word())
            .bind(end.failure.as_deref().map(clean))
            .bind(end.at)
            .fetch_optional(c)
            .await
        })?;
        let Some((begun_by, begun_at, steps)) = ended else { return Ok(false) };
        let steps: Vec<AnalysisStep> = read_json("analyses.steps", &steps)?;
        if steps.iter().all(|step| step.state != StepState::Done) {
            let payers = begun_by.map(Payer::Person).into_iter().chain([Payer::Team(end.tenant)]);
            for payer in payers {
                self.give_back_analysis(payer, begun_at.month(), end.at).await?;
            }
        }
        Ok(true)
    }

    /// Returns running analyses whose process is gone: those that one person began, or those of everybody.
    pub async fn list_lost_analyses(
        &mut self,
        of: Option<UserId>,
        now: Ms,
        limit: i64,
    ) -> Result<Vec<(TenantId, AnalysisId)>> {
        Ok(on!(self, |c| {
            query_as(
                "select tenant_id, id from analyses
                 where state = 'running' and alive_until < $1 and ($2 is null or begun_by = $2)
                 order by tenant_id, id limit $3",
            )
            .bind(now)
            .bind(of)
            .bind(limit)
            .fetch_all(c)
            .await
        })?)
    }

    /// Removes analyses of an organisation that were begun before this and have ended, the oldest first. Returns how
    /// many there were.
    pub async fn prune_analyses(&mut self, tenant: TenantId, before: Ms, limit: i64) -> Result<u64> {
        Ok(changed!(
            self,
            query(
                "delete from analyses where tenant_id = $1 and id in (
                    select id from analyses where tenant_id = $1 and begun_at < $2 and state <> 'running'
                    order by id limit $3)",
            )
            .bind(tenant)
            .bind(before)
            .bind(limit)
        ))
    }
}

fn written(analysis: &Analysis) -> Result<(String, String)> {
    Ok((write_json("analyses.steps", &analysis.steps)?, write_json("analyses.tally", &analysis.tally)?))
}
