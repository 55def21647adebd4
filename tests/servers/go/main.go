// A small MCP server on Go's encoding/json, which takes "NAME" for "name": the last key that folds onto a field wins.
//
// Usage: main JOURNAL. It says in one line of JSON where it listens, writes what its tools do to JOURNAL, and ends with
// its standard input. Standard library only.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strconv"
)

type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string `json:"name"`
		Arguments struct {
			Text string `json:"text"`
		} `json:"arguments"`
	} `json:"params"`
}

const schema = `{"type":"object","properties":{"text":{"type":"string"}}}`

func answer(asked message, journal io.Writer) string {
	switch asked.Method {
	case "initialize":
		return `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"folding","version":"1"}}`
	case "tools/list":
		return fmt.Sprintf(`{"tools":[{"name":"echo","inputSchema":%s},{"name":"forbidden","inputSchema":%s}]}`, schema, schema)
	case "tools/call":
		ran, _ := json.Marshal(map[string]string{"tool": asked.Params.Name, "text": asked.Params.Arguments.Text})
		fmt.Fprintf(journal, "%s\n", ran)
		text, _ := json.Marshal(string(ran))
		return fmt.Sprintf(`{"content":[{"type":"text","text":%s}]}`, text)
	}
	return `{}`
}

func main() {
	journal, err := os.OpenFile(os.Args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("{\"ready\":\"http://%s/mcp\"}\n", listening.Addr())
	go func() {
		for {
			connection, err := listening.Accept()
			if err != nil {
				return
			}
			go serve(connection, journal)
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

// serve speaks just enough HTTP/1.1 for POST: net/http alone takes a minute to build on a machine that never built it.
func serve(connection net.Conn, journal io.Writer) {
	defer connection.Close()
	reader := textproto.NewReader(bufio.NewReader(connection))
	for {
		if _, err := reader.ReadLine(); err != nil {
			return
		}
		headers, err := reader.ReadMIMEHeader()
		if err != nil {
			return
		}
		length, _ := strconv.Atoi(headers.Get("Content-Length"))
		body := make([]byte, length)
		if _, err := io.ReadFull(reader.R, body); err != nil {
			return
		}
		status, said := reply(body, journal)
		fmt.Fprintf(connection, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(said), said)
	}
}

func reply(body []byte, journal io.Writer) (string, string) {
	var asked message
	if err := json.Unmarshal(body, &asked); err != nil {
		return "400 Bad Request", `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no JSON"}}`
	}
	if asked.ID == nil {
		return "202 Accepted", ""
	}
	return "200 OK", fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, asked.ID, answer(asked, journal))
}
