//! One conversation of the official Rust SDK with the talking server; prints the outcome of each step as JSON.
//!
//! Usage: client URL NAME MODE. NAME is the name of the call that is canceled; MODE is "auto" (the newest revision that
//! both know) or "legacy" (`initialize`).

#![allow(
    deprecated,
    reason = "2026-07-28 deprecates sampling and logs, which are still part of the conversation"
)]

use std::error::Error;
use std::time::Duration;

use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// How long the client waits for a notification.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers the questions of the server and passes on its notifications.
struct Handler {
    progress: UnboundedSender<Value>,
    logged: UnboundedSender<Value>,
    changed: UnboundedSender<Value>,
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.sampling = Some(SamplingCapability::default());
        capabilities.elicitation = Some(ElicitationCapability::default());
        ClientConfig::new(capabilities, Implementation::new("zoo", "1.0.0"))
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let message = SamplingMessage::assistant_text("word");
        Ok(CreateMessageResult::new(message, "m".to_string()))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let name = json!({"name": "Ada"});
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(name))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.progress.send(json!(params.progress));
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.logged.send(params.data);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        let _ = self.changed.send(Value::Null);
    }
}

/// A session and what the client is notified of in addition to the answers.
struct Conversation {
    service: RunningService<RoleClient, Handler>,
    progress: UnboundedReceiver<Value>,
    logged: UnboundedReceiver<Value>,
    changed: UnboundedReceiver<Value>,
    modern: bool,
}

impl Conversation {
    async fn connect(url: &str, mode: &str) -> Result<Self, Box<dyn Error>> {
        let (to_progress, progress) = unbounded_channel();
        let (to_logged, logged) = unbounded_channel();
        let (to_changed, changed) = unbounded_channel();
        let handler = Handler {
            progress: to_progress,
            logged: to_logged,
            changed: to_changed,
        };
        let lifecycle = match mode {
            "legacy" => ClientLifecycleMode::Initialize,
            _ => ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                legacy_version: None,
            },
        };
        let transport = StreamableHttpClientTransport::from_uri(url);
        let service = handler.serve_with_lifecycle(transport, lifecycle).await?;
        Ok(Self {
            service,
            progress,
            logged,
            changed,
            modern: mode != "legacy",
        })
    }

    async fn call(&self, tool: &'static str, arguments: Value) -> Value {
        let mut params = called(tool, arguments);
        params
            .meta
            .get_or_insert_default()
            .set_log_level(LoggingLevel::Info);
        match self.service.call_tool(params).await {
            Ok(result) => {
                let texts = result.content.iter().filter_map(ContentBlock::as_text);
                let texts: Vec<&str> = texts.map(|content| content.text.as_str()).collect();
                json!({"error": result.is_error == Some(true), "text": texts.join(" ")})
            }
            Err(error) => json!(error.to_string()),
        }
    }

    /// Returns whether the client is notified that the tools changed: on a stream that it asks for, or on its own.
    async fn news(&mut self) -> Result<bool, Box<dyn Error>> {
        if !self.modern {
            self.call("announce", json!({})).await;
            return Ok(received(&mut self.changed, 1).await.len() == 1);
        }
        let filter = SubscriptionFilter::builder().tools_list_changed().build();
        let mut subscription = self.service.listen(filter).await?;
        self.call("announce", json!({})).await;
        let notification = timeout(PATIENCE, subscription.next()).await??;
        Ok(matches!(
            notification,
            Some(ServerNotification::ToolListChangedNotification(_))
        ))
    }

    /// Returns whether a call that had begun ended without a result once it was canceled.
    async fn canceled(&mut self, name: &str) -> bool {
        let call = self
            .service
            .call_tool(called("wait", json!({"name": name})));
        tokio::select! {
            _ = call => false,
            begun = received(&mut self.progress, 1) => begun.len() == 1,
        }
    }

    async fn hold(&mut self, name: &str) -> Result<Value, Box<dyn Error>> {
        let revision = self
            .service
            .peer_info()
            .map(|peer| peer.protocol_version.to_string());
        let tools = self.service.list_all_tools().await?;
        let mut tools: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        tools.sort_unstable();
        let allowed = self.call("echo", json!({"text": "hi"})).await;
        let denied = self.call("forbidden", json!({})).await;
        let after = self.call("echo", json!({"text": "still here"})).await;
        self.call("count", json!({"to": 3})).await;
        let progress = received(&mut self.progress, 3).await;
        self.call("log", json!({"text": "a word"})).await;
        let logged = received(&mut self.logged, 1).await;
        let news = self.news().await?;
        let canceled = self.canceled(name).await;
        let sampled = self.call("sample", json!({})).await;
        let elicited = self.call("ask", json!({})).await;
        let resumed = self.call("drop", json!({"text": "came back"})).await;
        let last = self.call("echo", json!({"text": "bye"})).await;
        Ok(json!({
            "revision": revision, "tools": tools, "allowed": allowed, "denied": denied, "after": after,
            "progress": progress, "logged": logged, "news": news, "cancelled": canceled,
            "sampled": sampled, "elicited": elicited, "resumed": resumed, "last": last,
        }))
    }
}

fn called(tool: &'static str, arguments: Value) -> CallToolRequestParams {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    CallToolRequestParams::new(tool).with_arguments(arguments)
}

/// Returns the next notifications; fewer if they do not come.
async fn received(notifications: &mut UnboundedReceiver<Value>, number: usize) -> Vec<Value> {
    let mut found = Vec::new();
    while found.len() < number {
        match timeout(PATIENCE, notifications.recv()).await {
            Ok(Some(notification)) => found.push(notification),
            _ => break,
        }
    }
    found
}

// One thread: the SDK handles each notification in a task of its own, which must not overtake another.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let mut conversation = Conversation::connect(&arguments[1], &arguments[3]).await?;
    println!("{}", conversation.hold(&arguments[2]).await?);
    conversation.service.cancel().await?;
    Ok(())
}
