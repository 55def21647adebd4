//! The reference server of the zoo on the official Rust SDK.
//!
//! Usage: server PORT [--stateless] [--json]. It serves http://127.0.0.1:PORT/mcp until a signal ends it.

#![allow(
    deprecated,
    reason = "2026-07-28 deprecates sampling, which is still part of the conversation"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::handler::server::tool::InputResponses;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{
    ErrorData, Json, ServerHandler, prompt, prompt_handler, prompt_router, tool, tool_handler,
    tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

const DOT: &str = concat!(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q",
    "DwADhgGAWjR9awAAAABJRU5ErkJggg=="
);

#[derive(Deserialize, JsonSchema)]
struct Sum {
    a: i64,
    b: i64,
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    id: String,
}

#[derive(Deserialize, JsonSchema)]
struct UpTo {
    to: u32,
}

#[derive(Deserialize, JsonSchema)]
struct WaitingTime {
    seconds: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Object {
    value: JsonObject,
}

#[derive(Deserialize, JsonSchema)]
struct Person {
    name: String,
}

/// What the server remembers between calls.
#[derive(Default)]
struct Memory {
    deleted_notes: Vec<String>,
    canceled_waits: u32,
}

/// Counts a wait as canceled if it is dropped before it ended.
struct Wait {
    memory: Arc<Mutex<Memory>>,
    ended: bool,
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.ended {
            self.memory.lock().unwrap().canceled_waits += 1;
        }
    }
}

#[derive(Clone)]
struct Zoo {
    memory: Arc<Mutex<Memory>>,
    stateless: bool,
}

#[tool_router]
impl Zoo {
    #[tool(description = "Add two numbers.")]
    fn add(&self, Parameters(Sum { a, b }): Parameters<Sum>) -> String {
        (a + b).to_string()
    }

    #[tool(description = "Delete a note.", annotations(destructive_hint = true))]
    fn delete_note(&self, Parameters(Note { id }): Parameters<Note>) -> String {
        let text = format!("deleted {id}");
        self.memory.lock().unwrap().deleted_notes.push(id);
        text
    }

    #[tool(description = "List the deleted notes.")]
    fn deleted_notes(&self) -> String {
        match self.memory.lock().unwrap().deleted_notes.as_slice() {
            [] => "none".to_string(),
            notes => notes.join(" "),
        }
    }

    #[tool(description = "Ask the client's model for a word.")]
    async fn sample(
        &self,
        responses: InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let messages = vec![SamplingMessage::user_text("Say a word.")];
        let request = CreateMessageRequest::new(CreateMessageRequestParams::new(messages, 10));
        let question = Question {
            input: InputRequest::CreateMessage(request.clone()),
            request: ServerRequest::CreateMessageRequest(request),
        };
        question
            .answered(self, responses, context, |answer| {
                Some(format!("sampled: {}", answer["content"]["text"].as_str()?))
            })
            .await
    }

    #[tool(description = "Ask the user for a name.")]
    async fn ask(
        &self,
        responses: InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let form = ElicitationSchema::builder().required_string("name").build();
        let request = ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: "Who are you?".to_string(),
            requested_schema: form.map_err(|error| ErrorData::internal_error(error, None))?,
        });
        let question = Question {
            input: InputRequest::Elicitation(request.clone()),
            request: ServerRequest::ElicitRequest(request),
        };
        question
            .answered(self, responses, context, |answer| {
                Some(format!("asked: {}", answer["content"]["name"].as_str()?))
            })
            .await
    }

    #[tool(description = "Count, and report progress.")]
    async fn count(
        &self,
        Parameters(UpTo { to }): Parameters<UpTo>,
        context: RequestContext<RoleServer>,
    ) -> String {
        for number in 1..=to {
            report(&context, number, Some(to)).await;
        }
        "counted".to_string()
    }

    #[tool(description = "Wait, and notice a cancellation.")]
    async fn wait(
        &self,
        Parameters(WaitingTime { seconds }): Parameters<WaitingTime>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, String> {
        let mut wait = Wait {
            memory: self.memory.clone(),
            ended: false,
        };
        report(&context, 0, None).await;
        tokio::select! {
            () = context.ct.cancelled() => Err("canceled".to_string()),
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {
                wait.ended = true;
                Ok("waited".to_string())
            }
        }
    }

    #[tool(description = "Count the canceled waits.")]
    fn canceled_waits(&self) -> String {
        self.memory.lock().unwrap().canceled_waits.to_string()
    }

    #[tool(description = "Return one content of each kind.")]
    fn kinds(&self) -> CallToolResult {
        let today =
            ResourceContents::text("Buy milk.", "note://today").with_mime_type("text/plain");
        let dot = Resource::new("image://dot", "dot").with_mime_type("image/png");
        CallToolResult::success(vec![
            ContentBlock::text("a text"),
            ContentBlock::image(DOT, "image/png"),
            ContentBlock::resource(today),
            ContentBlock::resource_link(dot),
        ])
    }

    #[tool(description = "Fail.")]
    fn fail(&self) -> Result<String, String> {
        Err("it broke".to_string())
    }

    #[tool(description = "Return the object.")]
    fn echo_object(&self, Parameters(Object { value }): Parameters<Object>) -> Json<JsonObject> {
        Json(value)
    }
}

/// A question to the client: an input request since 2026-07-28, a request of the server before.
struct Question {
    input: InputRequest,
    request: ServerRequest,
}

impl Question {
    async fn answered(
        self,
        zoo: &Zoo,
        InputResponses(responses): InputResponses,
        context: RequestContext<RoleServer>,
        told: fn(&serde_json::Value) -> Option<String>,
    ) -> Result<CallToolResponse, ErrorData> {
        let modern = context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        let answer = match responses.and_then(|mut responses| responses.remove("question")) {
            Some(answer) => answer,
            None if modern => {
                let requests = InputRequests::from([("question".to_string(), self.input)]);
                return Ok(InputRequiredResult::from_input_requests(requests).into());
            }
            // No answer of a client of an earlier revision reaches a server without sessions.
            None if zoo.stateless => return Ok(failed("the client cannot answer")),
            None => match context.peer.send_request(self.request).await {
                Ok(answer) => serde_json::to_value(answer).unwrap_or_default(),
                Err(error) => return Ok(failed(error.to_string())),
            },
        };
        let text = told(&answer)
            .ok_or_else(|| ErrorData::invalid_params("the answer is not a text", None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

fn failed(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::error(vec![ContentBlock::text(text)]).into()
}

async fn report(context: &RequestContext<RoleServer>, progress: u32, total: Option<u32>) {
    if let Some(token) = context.meta.get_progress_token() {
        let mut params = ProgressNotificationParam::new(token, progress.into());
        params.total = total.map(f64::from);
        if let Err(error) = context.peer.notify_progress(params).await {
            eprintln!("{error}");
        }
    }
}

#[prompt_router]
impl Zoo {
    #[prompt(description = "Greet a person.")]
    fn greet(&self, Parameters(Person { name }): Parameters<Person>) -> Vec<PromptMessage> {
        vec![PromptMessage::new_text(
            Role::User,
            format!("Hello, {name}!"),
        )]
    }
}

#[tool_handler]
#[prompt_handler(router = Self::prompt_router())]
impl ServerHandler for Zoo {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_prompts()
            .enable_resources()
            .enable_tools()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("zoo", "1.0.0"))
            .with_instructions("Use add for sums.")
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(vec![
            Resource::new("note://today", "today").with_mime_type("text/plain"),
            Resource::new("image://dot", "dot").with_mime_type("image/png"),
        ]))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new("note://{id}", "note").with_mime_type("text/plain");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        ReadResourceRequestParams { uri, .. }: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = match uri.as_str() {
            "note://today" => ResourceContents::text("Buy milk.", uri).with_mime_type("text/plain"),
            "image://dot" => ResourceContents::blob(DOT, uri).with_mime_type("image/png"),
            _ => match uri.strip_prefix("note://") {
                Some(id) => {
                    ResourceContents::text(format!("note {id}"), &uri).with_mime_type("text/plain")
                }
                None => return Err(ErrorData::resource_not_found("no such resource", None)),
            },
        };
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let known: &[&str] = match request.r#ref {
            Reference::Prompt(_) => &["Ada", "Alan", "Grace"],
            Reference::Resource(_) => &["today", "tomorrow"],
            _ => &[],
        };
        let fitting = known
            .iter()
            .filter(|value| value.starts_with(&request.argument.value));
        let values = CompletionInfo::new(fitting.map(|value| value.to_string()).collect());
        Ok(CompleteResult::new(
            values.map_err(|error| ErrorData::internal_error(error, None))?,
        ))
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let stateless = arguments.iter().any(|argument| argument == "--stateless");
    let mut config = StreamableHttpServerConfig::default();
    config.legacy_session_mode = !stateless;
    config.json_response = arguments.iter().any(|argument| argument == "--json");
    let zoo = Zoo {
        memory: Arc::default(),
        stateless,
    };
    let service = StreamableHttpService::new(
        move || Ok(zoo.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", arguments[1])).await?;
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await
}
