// One conversation of the official Go SDK with the talking server; prints the outcome of each step as JSON.
//
// Usage: client URL NAME MODE. NAME is the name of the call that is canceled; MODE is "auto" (the newest revision that
// both know) or "legacy" (`initialize`).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// patience is how long the client waits for a notification.
const patience = time.Minute

type outcome struct {
	Error bool   `json:"error"`
	Text  string `json:"text"`
}

// conversation is a session and what the client is notified of beside the answers.
type conversation struct {
	session  *mcp.ClientSession
	progress chan float64
	logged   chan any
	changed  chan struct{}
}

func answerSampling(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	return &mcp.CreateMessageResult{Role: "assistant", Content: &mcp.TextContent{Text: "word"}, Model: "m"}, nil
}

func answerElicitation(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
	return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada"}}, nil
}

func connect(ctx context.Context, url, mode string) (*conversation, error) {
	c := &conversation{
		progress: make(chan float64, 100),
		logged:   make(chan any, 100),
		changed:  make(chan struct{}, 100),
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "zoo", Version: "1.0.0"}, &mcp.ClientOptions{
		CreateMessageHandler: answerSampling,
		ElicitationHandler:   answerElicitation,
		ProgressNotificationHandler: func(_ context.Context, request *mcp.ProgressNotificationClientRequest) {
			c.progress <- request.Params.Progress
		},
		LoggingMessageHandler: func(_ context.Context, request *mcp.LoggingMessageRequest) {
			c.logged <- request.Params.Data
		},
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {
			c.changed <- struct{}{}
		},
	})
	options := &mcp.ClientSessionOptions{}
	if mode == "legacy" {
		options.ProtocolVersion = "2025-11-25"
	}
	var err error
	c.session, err = client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: url}, options)
	return c, err
}

func (c *conversation) call(ctx context.Context, tool string, arguments map[string]any) any {
	params := &mcp.CallToolParams{Name: tool, Arguments: arguments}
	params.Meta = mcp.Meta{mcp.MetaKeyLogLevel: "info"}
	params.SetProgressToken(tool)
	result, err := c.session.CallTool(ctx, params)
	if err != nil {
		return err.Error()
	}
	texts := []string{}
	for _, content := range result.Content {
		if text, isText := content.(*mcp.TextContent); isText {
			texts = append(texts, text.Text)
		}
	}
	return outcome{result.IsError, strings.Join(texts, " ")}
}

// received returns the next notifications; fewer if they do not come.
func received[T any](notifications <-chan T, number int) []T {
	found := []T{}
	for range number {
		select {
		case notification := <-notifications:
			found = append(found, notification)
		case <-time.After(patience):
			return found
		}
	}
	return found
}

// canceled returns whether a call that had begun ended without a result once it was canceled.
func (c *conversation) canceled(ctx context.Context, name string) bool {
	calling, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() {
		params := &mcp.CallToolParams{Name: "wait", Arguments: map[string]any{"name": name}}
		params.SetProgressToken("wait")
		_, err := c.session.CallTool(calling, params)
		ended <- err
	}()
	received(c.progress, 1)
	cancel()
	return <-ended != nil
}

func (c *conversation) hold(ctx context.Context, name string) (map[string]any, error) {
	said := map[string]any{"revision": c.session.InitializeResult().ProtocolVersion}
	listed, err := c.session.ListTools(ctx, nil)
	if err != nil {
		return nil, err
	}
	tools := []string{}
	for _, tool := range listed.Tools {
		tools = append(tools, tool.Name)
	}
	slices.Sort(tools)
	said["tools"] = tools
	said["allowed"] = c.call(ctx, "echo", map[string]any{"text": "hi"})
	said["denied"] = c.call(ctx, "forbidden", nil)
	said["after"] = c.call(ctx, "echo", map[string]any{"text": "still here"})
	c.call(ctx, "count", map[string]any{"to": 3})
	said["progress"] = received(c.progress, 3)
	c.call(ctx, "log", map[string]any{"text": "a word"})
	said["logged"] = received(c.logged, 1)
	c.call(ctx, "announce", nil)
	said["news"] = len(received(c.changed, 1)) == 1
	said["cancelled"] = c.canceled(ctx, name)
	said["sampled"] = c.call(ctx, "sample", nil)
	said["elicited"] = c.call(ctx, "ask", nil)
	said["resumed"] = c.call(ctx, "drop", map[string]any{"text": "came back"})
	said["last"] = c.call(ctx, "echo", map[string]any{"text": "bye"})
	return said, nil
}

func main() {
	ctx := context.Background()
	url, name, mode := os.Args[1], os.Args[2], os.Args[3]
	c, err := connect(ctx, url, mode)
	if err != nil {
		log.Fatal(err)
	}
	said, err := c.hold(ctx, name)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.session.Close(); err != nil {
		log.Fatal(err)
	}
	printed, err := json.Marshal(said)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(printed))
}
