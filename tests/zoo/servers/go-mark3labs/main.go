// The reference server of the zoo on mark3labs/mcp-go.
//
// Usage: server PORT [--stateful | --stateless]. It serves http://127.0.0.1:PORT/mcp until a signal ends it.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// pauseAfterProgress keeps progress in order and before the result: the SDK sends it on the stream of the call or on
// the client's own stream, as it happens.
const pauseAfterProgress = 300 * time.Millisecond

var stateless = slices.Contains(os.Args, "--stateless")

// memory is what the server remembers between calls.
type memory struct {
	mutex         sync.Mutex
	deletedNotes  []string
	canceledWaits int
}

func add(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(strconv.Itoa(request.GetInt("a", 0) + request.GetInt("b", 0))), nil
}

func (m *memory) deleteNote(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	id, err := request.RequireString("id")
	if err != nil {
		return nil, err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.deletedNotes = append(m.deletedNotes, id)
	return mcp.NewToolResultText("deleted " + id), nil
}

func (m *memory) listDeletedNotes(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if len(m.deletedNotes) == 0 {
		return mcp.NewToolResultText("none"), nil
	}
	return mcp.NewToolResultText(strings.Join(m.deletedNotes, " ")), nil
}

// canAnswer returns whether the client can answer a question. Without sessions the SDK asks clients of earlier revisions
// than 2026-07-28 too, but it rejects their answers, so that the call would not end.
func canAnswer(ctx context.Context) bool {
	return !stateless || mcp.IsModernProtocol(server.RequestProtocolVersion(ctx))
}

// sample returns the question as an input request. The SDK sends it as a request of its own before 2026-07-28.
func sample(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	answer := server.SamplingResponse(request.Params.InputResponses, "sample")
	if answer == nil && !canAnswer(ctx) {
		return mcp.NewToolResultError("the client cannot answer"), nil
	}
	if answer == nil {
		words := []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent("Say a word.")}}
		question := mcp.CreateMessageParams{Messages: words, MaxTokens: 10}
		return server.NewInputRequestBuilder("").Sample("sample", question).ToolResult(), nil
	}
	switch content := answer.Content.(type) {
	case mcp.TextContent:
		return mcp.NewToolResultText("sampled: " + content.Text), nil
	case map[string]any:
		if word, isText := content["text"].(string); isText {
			return mcp.NewToolResultText("sampled: " + word), nil
		}
	}
	return nil, errors.New("the answer is not a text")
}

// ask returns the question as an input request, like sample.
func ask(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	answer := server.ElicitationResponse(request.Params.InputResponses, "ask")
	if answer == nil && !canAnswer(ctx) {
		return mcp.NewToolResultError("the client cannot answer"), nil
	}
	if answer == nil {
		form := map[string]any{
			"type":       "object",
			"properties": map[string]any{"name": map[string]any{"type": "string"}},
			"required":   []string{"name"},
		}
		question := mcp.ElicitationParams{Message: "Who are you?", RequestedSchema: form}
		return server.NewInputRequestBuilder("").Elicit("ask", question).ToolResult(), nil
	}
	content, _ := answer.Content.(map[string]any)
	name, isText := content["name"].(string)
	if !isText {
		return nil, errors.New("the answer has no name")
	}
	return mcp.NewToolResultText("asked: " + name), nil
}

func report(ctx context.Context, request mcp.CallToolRequest, progress, total int) error {
	if request.Params.Meta == nil || request.Params.Meta.ProgressToken == nil {
		return nil
	}
	values := map[string]any{"progressToken": request.Params.Meta.ProgressToken, "progress": progress}
	if total > 0 {
		values["total"] = total
	}
	return server.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/progress", values)
}

func count(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	to := request.GetInt("to", 0)
	for number := 1; number <= to; number++ {
		if err := report(ctx, request, number, to); err != nil {
			return nil, err
		}
		time.Sleep(pauseAfterProgress)
	}
	return mcp.NewToolResultText("counted"), nil
}

func (m *memory) wait(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if err := report(ctx, request, 0, 0); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		m.mutex.Lock()
		defer m.mutex.Unlock()
		m.canceledWaits++
		return nil, ctx.Err()
	case <-time.After(time.Duration(request.GetInt("seconds", 0)) * time.Second):
		return mcp.NewToolResultText("waited"), nil
	}
}

func (m *memory) countCanceledWaits(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return mcp.NewToolResultText(strconv.Itoa(m.canceledWaits)), nil
}

func kinds(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return &mcp.CallToolResult{Content: []mcp.Content{
		mcp.NewTextContent("a text"),
		mcp.NewImageContent(dot, "image/png"),
		mcp.NewEmbeddedResource(today()),
		mcp.NewResourceLink("image://dot", "dot", "", "image/png"),
	}}, nil
}

// fail returns a Go error, which the SDK answers with a JSON-RPC error.
func fail(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return nil, errors.New("it broke")
}

type object struct {
	Value map[string]any `json:"value"`
}

func echoObject(_ context.Context, _ mcp.CallToolRequest, input object) (map[string]any, error) {
	return input.Value, nil
}

func addTools(to *server.MCPServer) {
	m := &memory{}
	number, text := mcp.WithInteger, mcp.WithString
	to.AddTools(
		tool(add, "add", "Add two numbers.", number("a", mcp.Required()), number("b", mcp.Required())),
		tool(m.deleteNote, "delete_note", "Delete a note.", text("id", mcp.Required()), mcp.WithDestructiveHintAnnotation(true)),
		tool(m.listDeletedNotes, "deleted_notes", "List the deleted notes."),
		tool(sample, "sample", "Ask the client's model for a word."),
		tool(ask, "ask", "Ask the user for a name."),
		tool(count, "count", "Count, and report progress.", number("to", mcp.Required())),
		tool(m.wait, "wait", "Wait, and notice a cancellation.", number("seconds", mcp.Required())),
		tool(m.countCanceledWaits, "canceled_waits", "Count the canceled waits."),
		tool(kinds, "kinds", "Return one content of each kind."),
		tool(fail, "fail", "Fail."),
		tool(mcp.NewStructuredToolHandler(echoObject), "echo_object", "Return the object.", mcp.WithObject("value", mcp.Required())),
	)
}

func tool(handler server.ToolHandlerFunc, name, description string, options ...mcp.ToolOption) server.ServerTool {
	options = append(options, mcp.WithDescription(description))
	return server.ServerTool{Tool: mcp.NewTool(name, options...), Handler: handler}
}

func today() mcp.TextResourceContents {
	return mcp.TextResourceContents{URI: "note://today", MIMEType: "text/plain", Text: "Buy milk."}
}

func readToday(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return []mcp.ResourceContents{today()}, nil
}

func readDot(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return []mcp.ResourceContents{mcp.BlobResourceContents{URI: "image://dot", MIMEType: "image/png", Blob: dot}}, nil
}

func readNote(_ context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	text := "note " + strings.TrimPrefix(request.Params.URI, "note://")
	return []mcp.ResourceContents{
		mcp.TextResourceContents{URI: request.Params.URI, MIMEType: "text/plain", Text: text},
	}, nil
}

func addResources(to *server.MCPServer) {
	to.AddResource(mcp.NewResource("note://today", "today", mcp.WithMIMEType("text/plain")), readToday)
	to.AddResource(mcp.NewResource("image://dot", "dot", mcp.WithMIMEType("image/png")), readDot)
	to.AddResourceTemplate(mcp.NewResourceTemplate("note://{id}", "note", mcp.WithTemplateMIMEType("text/plain")), readNote)
}

func greet(_ context.Context, request mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	words := mcp.NewTextContent("Hello, " + request.Params.Arguments["name"] + "!")
	return mcp.NewGetPromptResult("", []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, words)}), nil
}

// completions completes the arguments of the prompt and of the resource template.
type completions struct{}

func (completions) CompletePromptArgument(
	_ context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext,
) (*mcp.Completion, error) {
	return startingWith(argument.Value, "Ada", "Alan", "Grace"), nil
}

func (completions) CompleteResourceArgument(
	_ context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext,
) (*mcp.Completion, error) {
	return startingWith(argument.Value, "today", "tomorrow"), nil
}

func startingWith(start string, known ...string) *mcp.Completion {
	values := slices.DeleteFunc(known, func(value string) bool { return !strings.HasPrefix(value, start) })
	return &mcp.Completion{Values: values}
}

func main() {
	zoo := server.NewMCPServer(
		"zoo",
		"1.0.0",
		server.WithInstructions("Use add for sums."),
		server.WithToolCapabilities(true),
		server.WithResourceCapabilities(false, true),
		server.WithPromptCapabilities(true),
		server.WithElicitation(),
		server.WithCompletions(),
		server.WithPromptCompletionProvider(completions{}),
		server.WithResourceCompletionProvider(completions{}),
	)
	zoo.EnableSampling()
	addTools(zoo)
	addResources(zoo)
	name := mcp.WithArgument("name", mcp.RequiredArgument())
	zoo.AddPrompt(mcp.NewPrompt("greet", mcp.WithPromptDescription("Greet a person."), name), greet)
	handler := server.NewStreamableHTTPServer(
		zoo,
		server.WithStateful(slices.Contains(os.Args, "--stateful")),
		server.WithStateLess(stateless),
	)
	log.Fatal(handler.Start("127.0.0.1:" + os.Args[1]))
}
