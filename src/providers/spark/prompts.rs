//! Prompts for the two questions that are asked most. Pure.

use serde_json::{Map, Value, json};

/// Returns the definitions of all prompts.
pub(super) fn definitions() -> Vec<Value> {
    let argument = |name: &str, description: &str, required: bool| json!({ "name": name, "description": description, "required": required });
    let server = || argument("server", "Not needed: a source is one history server", false);
    vec![
        json!({
            "name": "investigate_failure", "title": "Investigate a failure",
            "description": "Why a Spark application failed, from its jobs, stages and tasks",
            "arguments": [argument("app_id", "The application", true), server()],
        }),
        json!({
            "name": "compare_applications", "title": "Compare two applications",
            "description": "Why one run of a Spark application was slower than another",
            "arguments": [
                argument("app_a", "The application to compare with", true),
                argument("app_b", "The application in question", true),
                server(),
                argument("context", "What has changed between them, if known", false),
            ],
        }),
    ]
}

/// Fills a prompt in; `None` if there is none of this name.
pub(super) fn get(name: &str, arguments: &Map<String, Value>) -> Option<Value> {
    let said = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let (description, text) = match name {
        "investigate_failure" => {
            let app = said("app_id");
            let text = format!(
                "Find out why the Spark application `{app}` failed.\n\n\
                 1. Call `list_jobs` with `app_id` `{app}` and `status` [\"FAILED\"].\n\
                 2. Call `list_stages` with `status` [\"FAILED\"], and `list_stage_task_failures` for each failed stage. \
                 Read the last exception first.\n\
                 3. Call `list_executors` with `include_inactive` true and look for executors that were removed, and why.\n\
                 4. Call `list_sql_executions` with `status` FAILED, and `get_sql_execution` for those found.\n\
                 5. Call `get_environment` if memory, time limits or the code's versions may be to blame.\n\n\
                 Say what failed first, what was only a consequence, which line of code or setting is to blame, and what \
                 to change. Quote the numbers and messages that show it; say what you could not find out."
            );
            (format!("Why {app} failed"), text)
        }
        "compare_applications" => {
            let (before, after, context) = (said("app_a"), said("app_b"), said("context"));
            let known = match context.as_str() {
                "" => String::new(),
                context => format!("What is known of the difference: {context}\n\n"),
            };
            let text = format!(
                "Compare the Spark applications `{before}` and `{after}`, and explain why one took longer.\n\n{known}\
                 1. Call `compare_applications` with `app_a` `{before}` and `app_b` `{after}`.\n\
                 2. Call `compare_job_environments` and tell which settings matter.\n\
                 3. For the stages that differ most, call `compare_stages`; for queries `compare_sql_executions`.\n\n\
                 Say what is slower, by how much, and what explains it: more data, other settings, another plan, skew, \
                 spill, failures or fewer executors. Quote the numbers; say what you could not find out."
            );
            (format!("{before} and {after} compared"), text)
        }
        _ => return None,
    };
    Some(json!({
        "resultType": "complete", "description": description,
        "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_names_what_it_was_asked_about() {
        let arguments = json!({ "app_a": "one", "app_b": "two", "context": "new cluster" });
        let Value::Object(arguments) = arguments else { panic!("an object") };

        for definition in definitions() {
            assert!(get(definition["name"].as_str().unwrap(), &arguments).is_some());
        }
        let text = get("compare_applications", &arguments).unwrap().to_string();
        assert!(text.contains("`one` and `two`") && text.contains("new cluster"), "{text}");
        assert!(get("other", &arguments).is_none());
    }
}
