// The reference server of the zoo on the official Go SDK.
//
// Usage: server PORT [--stateless] [--json]. It serves http://127.0.0.1:PORT/mcp until a signal ends it.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

var image, _ = base64.StdEncoding.DecodeString(dot)

// pauseBeforeResult is set with --json: progress travels on another stream than the result then, and must not be late.
var pauseBeforeResult time.Duration

// memory is what the server remembers between calls.
type memory struct {
	mutex         sync.Mutex
	deletedNotes  []string
	canceledWaits int
}

type sum struct {
	A int `json:"a"`
	B int `json:"b"`
}

type note struct {
	ID string `json:"id"`
}

type upTo struct {
	To int `json:"to"`
}

type duration struct {
	Seconds int `json:"seconds"`
}

type object struct {
	Value map[string]any `json:"value"`
}

type nothing struct{}

func text(value string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: value}}}
}

func add(_ context.Context, _ *mcp.CallToolRequest, input sum) (*mcp.CallToolResult, any, error) {
	return text(strconv.Itoa(input.A + input.B)), nil, nil
}

func (m *memory) deleteNote(_ context.Context, _ *mcp.CallToolRequest, input note) (*mcp.CallToolResult, any, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.deletedNotes = append(m.deletedNotes, input.ID)
	return text("deleted " + input.ID), nil, nil
}

func (m *memory) listDeletedNotes(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if len(m.deletedNotes) == 0 {
		return text("none"), nil, nil
	}
	return text(strings.Join(m.deletedNotes, " ")), nil, nil
}

// sample returns the question as an input request. The SDK sends it as a request of its own before 2026-07-28.
func sample(_ context.Context, request *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
	answer, found := request.Params.InputResponses["sample"]
	if !found {
		words := []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "Say a word."}}}
		question := &mcp.CreateMessageParams{Messages: words, MaxTokens: 10}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"sample": question}}, nil, nil
	}
	var content mcp.Content
	switch message := answer.(type) {
	case *mcp.CreateMessageResult:
		content = message.Content
	case *mcp.CreateMessageWithToolsResult:
		content = message.Content[0]
	}
	word, isText := content.(*mcp.TextContent)
	if !isText {
		return nil, nil, errors.New("the answer is not a text")
	}
	return text("sampled: " + word.Text), nil, nil
}

// ask returns the question as an input request, like sample.
func ask(_ context.Context, request *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
	answer, found := request.Params.InputResponses["ask"].(*mcp.ElicitResult)
	if !found {
		form := map[string]any{
			"type":       "object",
			"properties": map[string]any{"name": map[string]any{"type": "string"}},
			"required":   []string{"name"},
		}
		question := &mcp.ElicitParams{Message: "Who are you?", RequestedSchema: form}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"ask": question}}, nil, nil
	}
	name, isText := answer.Content["name"].(string)
	if !isText {
		return nil, nil, errors.New("the answer has no name")
	}
	return text("asked: " + name), nil, nil
}

// report sends progress. A stateless server with JSON answers has no stream for it; then the progress is lost.
func report(ctx context.Context, request *mcp.CallToolRequest, progress, total float64) {
	token := request.Params.GetProgressToken()
	if token == nil {
		return
	}
	notification := &mcp.ProgressNotificationParams{ProgressToken: token, Progress: progress, Total: total}
	if err := request.Session.NotifyProgress(ctx, notification); err != nil {
		log.Print(err)
	}
}

func count(ctx context.Context, request *mcp.CallToolRequest, input upTo) (*mcp.CallToolResult, any, error) {
	for number := 1; number <= input.To; number++ {
		report(ctx, request, float64(number), float64(input.To))
	}
	time.Sleep(pauseBeforeResult)
	return text("counted"), nil, nil
}

func (m *memory) wait(ctx context.Context, request *mcp.CallToolRequest, input duration) (*mcp.CallToolResult, any, error) {
	report(ctx, request, 0, 0)
	select {
	case <-ctx.Done():
		m.mutex.Lock()
		defer m.mutex.Unlock()
		m.canceledWaits++
		return nil, nil, ctx.Err()
	case <-time.After(time.Duration(input.Seconds) * time.Second):
		return text("waited"), nil, nil
	}
}

func (m *memory) countCanceledWaits(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return text(strconv.Itoa(m.canceledWaits)), nil, nil
}

func kinds(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
	today := &mcp.ResourceContents{URI: "note://today", MIMEType: "text/plain", Text: "Buy milk."}
	return &mcp.CallToolResult{Content: []mcp.Content{
		&mcp.TextContent{Text: "a text"},
		&mcp.ImageContent{Data: image, MIMEType: "image/png"},
		&mcp.EmbeddedResource{Resource: today},
		&mcp.ResourceLink{URI: "image://dot", Name: "dot", MIMEType: "image/png"},
	}}, nil, nil
}

func fail(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
	return nil, nil, errors.New("it broke")
}

func echoObject(_ context.Context, _ *mcp.CallToolRequest, input object) (*mcp.CallToolResult, map[string]any, error) {
	return nil, input.Value, nil
}

func addTools(server *mcp.Server) {
	m := &memory{}
	destructive := true
	annotations := &mcp.ToolAnnotations{DestructiveHint: &destructive}
	mcp.AddTool(server, &mcp.Tool{Name: "add", Description: "Add two numbers."}, add)
	mcp.AddTool(server, &mcp.Tool{Name: "delete_note", Description: "Delete a note.", Annotations: annotations}, m.deleteNote)
	mcp.AddTool(server, &mcp.Tool{Name: "deleted_notes", Description: "List the deleted notes."}, m.listDeletedNotes)
	mcp.AddTool(server, &mcp.Tool{Name: "sample", Description: "Ask the client's model for a word."}, sample)
	mcp.AddTool(server, &mcp.Tool{Name: "ask", Description: "Ask the user for a name."}, ask)
	mcp.AddTool(server, &mcp.Tool{Name: "count", Description: "Count, and report progress."}, count)
	mcp.AddTool(server, &mcp.Tool{Name: "wait", Description: "Wait, and notice a cancellation."}, m.wait)
	mcp.AddTool(server, &mcp.Tool{Name: "canceled_waits", Description: "Count the canceled waits."}, m.countCanceledWaits)
	mcp.AddTool(server, &mcp.Tool{Name: "kinds", Description: "Return one content of each kind."}, kinds)
	mcp.AddTool(server, &mcp.Tool{Name: "fail", Description: "Fail."}, fail)
	mcp.AddTool(server, &mcp.Tool{Name: "echo_object", Description: "Return the object."}, echoObject)
}

func readToday(_ context.Context, request *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return textResource(request, "Buy milk."), nil
}

func readNote(_ context.Context, request *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return textResource(request, "note "+strings.TrimPrefix(request.Params.URI, "note://")), nil
}

func textResource(request *mcp.ReadResourceRequest, value string) *mcp.ReadResourceResult {
	contents := &mcp.ResourceContents{URI: request.Params.URI, MIMEType: "text/plain", Text: value}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{contents}}
}

func readDot(_ context.Context, request *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	contents := &mcp.ResourceContents{URI: request.Params.URI, MIMEType: "image/png", Blob: image}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{contents}}, nil
}

func addResources(server *mcp.Server) {
	server.AddResource(&mcp.Resource{URI: "note://today", Name: "today", MIMEType: "text/plain"}, readToday)
	server.AddResource(&mcp.Resource{URI: "image://dot", Name: "dot", MIMEType: "image/png"}, readDot)
	template := &mcp.ResourceTemplate{URITemplate: "note://{id}", Name: "note", MIMEType: "text/plain"}
	server.AddResourceTemplate(template, readNote)
}

func greet(_ context.Context, request *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	words := &mcp.TextContent{Text: "Hello, " + request.Params.Arguments["name"] + "!"}
	return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: words}}}, nil
}

func addPrompts(server *mcp.Server) {
	name := &mcp.PromptArgument{Name: "name", Required: true}
	prompt := &mcp.Prompt{Name: "greet", Description: "Greet a person.", Arguments: []*mcp.PromptArgument{name}}
	server.AddPrompt(prompt, greet)
}

func complete(_ context.Context, request *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	known := []string{}
	switch request.Params.Ref.Type {
	case "ref/prompt":
		known = []string{"Ada", "Alan", "Grace"}
	case "ref/resource":
		known = []string{"today", "tomorrow"}
	}
	values := slices.DeleteFunc(known, func(value string) bool {
		return !strings.HasPrefix(value, request.Params.Argument.Value)
	})
	return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: values}}, nil
}

func main() {
	stateless, json := slices.Contains(os.Args, "--stateless"), slices.Contains(os.Args, "--json")
	if json {
		pauseBeforeResult = time.Second
	}
	options := &mcp.ServerOptions{Instructions: "Use add for sums.", CompletionHandler: complete}
	server := mcp.NewServer(&mcp.Implementation{Name: "zoo", Version: "1.0.0"}, options)
	addTools(server)
	addResources(server)
	addPrompts(server)
	handler := mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{
			Stateless:                    stateless,
			JSONResponse:                 json,
			PropagateRequestCancellation: true,
		},
	)
	http.Handle("/mcp", handler)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
