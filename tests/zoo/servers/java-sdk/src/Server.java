import io.modelcontextprotocol.server.McpServer;
import io.modelcontextprotocol.server.McpServerFeatures.SyncCompletionSpecification;
import io.modelcontextprotocol.server.McpServerFeatures.SyncPromptSpecification;
import io.modelcontextprotocol.server.McpServerFeatures.SyncResourceSpecification;
import io.modelcontextprotocol.server.McpServerFeatures.SyncResourceTemplateSpecification;
import io.modelcontextprotocol.server.McpSyncServerExchange;
import io.modelcontextprotocol.server.transport.HttpServletStreamableServerTransportProvider;
import io.modelcontextprotocol.spec.McpSchema.*;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.ServerConnector;

/**
 * The reference server of the zoo on the official Java SDK.
 *
 * <p>Usage: Server PORT. It serves http://127.0.0.1:PORT/mcp until a signal ends it.
 */
public final class Server {
    private static final String DOT =
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    /** What the server remembers between calls. */
    private final List<String> deletedNotes = new ArrayList<>();

    private static CallToolResult text(String value) {
        return CallToolResult.builder().addTextContent(value).build();
    }

    private static TextContent words(String value) {
        return TextContent.builder(value).build();
    }

    private static int number(CallToolRequest request, String name) {
        return ((Number) request.arguments().get(name)).intValue();
    }

    private static CallToolResult add(McpSyncServerExchange exchange, CallToolRequest request) {
        return text(String.valueOf(number(request, "a") + number(request, "b")));
    }

    private synchronized CallToolResult deleteNote(McpSyncServerExchange exchange, CallToolRequest request) {
        String id = (String) request.arguments().get("id");
        deletedNotes.add(id);
        return text("deleted " + id);
    }

    private synchronized CallToolResult listDeletedNotes(McpSyncServerExchange exchange, CallToolRequest request) {
        return text(deletedNotes.isEmpty() ? "none" : String.join(" ", deletedNotes));
    }

    private static CallToolResult sample(McpSyncServerExchange exchange, CallToolRequest request) {
        var words = List.of(SamplingMessage.builder(Role.USER, words("Say a word.")).build());
        var answer = exchange.createMessage(CreateMessageRequest.builder(words, 10).build());
        return text("sampled: " + ((TextContent) answer.content()).text());
    }

    private static CallToolResult ask(McpSyncServerExchange exchange, CallToolRequest request) {
        Map<String, Object> form = schema(Map.of("name", "string"));
        var answer = exchange.createElicitation(ElicitFormRequest.builder("Who are you?", form).build());
        return text("asked: " + answer.content().get("name"));
    }

    private static void report(McpSyncServerExchange exchange, CallToolRequest request, int progress, Double total) {
        if (request.progressToken() != null) {
            var notification = ProgressNotification.builder(request.progressToken(), progress).total(total);
            exchange.progressNotification(notification.build());
        }
    }

    private static CallToolResult count(McpSyncServerExchange exchange, CallToolRequest request) {
        int to = number(request, "to");
        for (int each = 1; each <= to; each++) {
            report(exchange, request, each, (double) to);
        }
        return text("counted");
    }

    private static CallToolResult waitFor(McpSyncServerExchange exchange, CallToolRequest request) {
        report(exchange, request, 0, null);
        try {
            Thread.sleep(1000L * number(request, "seconds"));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return text("waited");
    }

    private static CallToolResult kinds(McpSyncServerExchange exchange, CallToolRequest request) {
        return CallToolResult.builder()
                .addTextContent("a text")
                .addContent(ImageContent.builder(DOT, "image/png").build())
                .addContent(EmbeddedResource.builder(today()).build())
                .addContent(ResourceLink.builder().uri("image://dot").name("dot").mimeType("image/png").build())
                .build();
    }

    private static CallToolResult fail(McpSyncServerExchange exchange, CallToolRequest request) {
        throw new IllegalStateException("it broke");
    }

    @SuppressWarnings("unchecked")
    private static CallToolResult echoObject(McpSyncServerExchange exchange, CallToolRequest request) {
        var value = new TreeMap<>((Map<String, Object>) request.arguments().get("value"));
        return CallToolResult.builder().structuredContent(value).build();
    }

    private static TextResourceContents today() {
        return note("note://today", "Buy milk.");
    }

    private static TextResourceContents note(String uri, String text) {
        return TextResourceContents.builder(uri, text).mimeType("text/plain").build();
    }

    private static ReadResourceResult read(ResourceContents contents) {
        return ReadResourceResult.builder(List.of(contents)).build();
    }

    private static ReadResourceResult readNote(McpSyncServerExchange exchange, ReadResourceRequest request) {
        String text = "note " + request.uri().substring("note://".length());
        return read(note(request.uri(), text));
    }

    private static GetPromptResult greet(McpSyncServerExchange exchange, GetPromptRequest request) {
        var words = words("Hello, " + request.arguments().get("name") + "!");
        return GetPromptResult.builder(List.of(PromptMessage.builder(Role.USER, words).build())).build();
    }

    private static SyncCompletionSpecification completion(CompleteReference reference, String... known) {
        return new SyncCompletionSpecification(reference, (exchange, request) -> {
            String start = request.argument().value();
            var values = List.of(known).stream().filter(value -> value.startsWith(start)).toList();
            return new CompleteResult(new CompleteResult.CompleteCompletion(values, values.size(), false));
        });
    }

    private static Map<String, Object> schema(Map<String, String> types) {
        var properties = new TreeMap<String, Object>();
        types.forEach((name, type) -> properties.put(name, Map.of("type", type)));
        return Map.of("type", "object", "properties", properties, "required", List.copyOf(properties.keySet()));
    }

    private static Tool.Builder tool(String name, String description, Map<String, String> types) {
        return Tool.builder(name, schema(types)).description(description);
    }

    private void addTools(McpServer.SyncSpecification<?> specification) {
        specification
                .toolCall(tool("add", "Add two numbers.", Map.of("a", "integer", "b", "integer")).build(), Server::add)
                .toolCall(
                        tool("delete_note", "Delete a note.", Map.of("id", "string"))
                                .annotations(ToolAnnotations.builder().destructiveHint(true).build())
                                .build(),
                        this::deleteNote)
                .toolCall(tool("deleted_notes", "List the deleted notes.", Map.of()).build(), this::listDeletedNotes)
                .toolCall(tool("sample", "Ask the client's model for a word.", Map.of()).build(), Server::sample)
                .toolCall(tool("ask", "Ask the user for a name.", Map.of()).build(), Server::ask)
                .toolCall(tool("count", "Count, and report progress.", Map.of("to", "integer")).build(), Server::count)
                .toolCall(tool("wait", "Wait.", Map.of("seconds", "integer")).build(), Server::waitFor)
                .toolCall(tool("kinds", "Return one content of each kind.", Map.of()).build(), Server::kinds)
                .toolCall(tool("fail", "Fail.", Map.of()).build(), Server::fail)
                .toolCall(
                        tool("echo_object", "Return the object.", Map.of("value", "object")).build(),
                        Server::echoObject);
    }

    private static void addResources(McpServer.SyncSpecification<?> specification) {
        var note = Resource.builder("note://today", "today").mimeType("text/plain").build();
        var dot = Resource.builder("image://dot", "dot").mimeType("image/png").build();
        var template = ResourceTemplate.builder("note://{id}", "note").mimeType("text/plain").build();
        var image = BlobResourceContents.builder("image://dot", DOT).mimeType("image/png").build();
        specification
                .resources(
                        new SyncResourceSpecification(note, (exchange, request) -> read(today())),
                        new SyncResourceSpecification(dot, (exchange, request) -> read(image)))
                .resourceTemplates(new SyncResourceTemplateSpecification(template, Server::readNote));
    }

    private static void addPrompts(McpServer.SyncSpecification<?> specification) {
        var name = PromptArgument.builder("name").required(true).build();
        var prompt = Prompt.builder("greet").description("Greet a person.").arguments(List.of(name)).build();
        specification
                .prompts(new SyncPromptSpecification(prompt, Server::greet))
                .completions(
                        completion(new PromptReference("greet"), "Ada", "Alan", "Grace"),
                        completion(new ResourceReference("note://{id}"), "today", "tomorrow"));
    }

    public static void main(String[] arguments) throws Exception {
        var transport = HttpServletStreamableServerTransportProvider.builder().mcpEndpoint("/mcp").build();
        var capabilities = ServerCapabilities.builder().completions().prompts(true).resources(false, true).tools(true);
        var specification = McpServer.sync(transport)
                .serverInfo("zoo", "1.0.0")
                .instructions("Use add for sums.")
                .capabilities(capabilities.build());
        new Server().addTools(specification);
        addResources(specification);
        addPrompts(specification);
        specification.build();

        var jetty = new org.eclipse.jetty.server.Server();
        var connector = new ServerConnector(jetty);
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.parseInt(arguments[0]));
        jetty.addConnector(connector);
        var context = new ServletContextHandler();
        var servlet = new ServletHolder(transport);
        servlet.setAsyncSupported(true);
        context.addServlet(servlet, "/*");
        jetty.setHandler(context);
        jetty.start();
        jetty.join();
    }
}
