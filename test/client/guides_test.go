package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestGuides does what the guides say, to the letter but for the port: each in a
// shell of its own against a fresh cluster of `dev`. What a guide prints below a
// command is what the command prints, where "…" stands for anything; JSON may be
// laid out otherwise. Where a guide has its reader paste something, so does the test.
func TestGuides(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("the guides need %s: install it", tool)
		}
	}
	files, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d guides: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".md"), func(t *testing.T) { followGuide(t, file) })
	}
}

// step is a command of a guide and what it is to print.
type step struct {
	line         int
	command      string
	expectedText string
}

// fence begins and ends what is to be run.
const fence = "```"

// stepsOf reads the console blocks of a guide. A command begins with "$ " and goes
// on as long as the shell would read on.
func stepsOf(t *testing.T, text string) (steps []step) {
	t.Helper()
	inside, open := false, false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, fence):
			if open {
				t.Fatalf("line %d: the command is not finished", i+1)
			}
			inside = line == fence+"console"
		case !inside:
		case open:
			last := &steps[len(steps)-1]
			last.command += "\n" + line
			open = unfinished(t, last.command)
		case strings.HasPrefix(line, "$ "):
			steps = append(steps, step{line: i + 1, command: line[2:]})
			open = unfinished(t, line[2:])
		case len(steps) == 0:
			t.Fatalf("line %d: output of no command", i+1)
		default:
			steps[len(steps)-1].expectedText += line + "\n"
		}
	}
	if len(steps) == 0 {
		t.Fatal("no console block")
	}
	return steps
}

// unfinished reports whether a shell would read another line of a command.
func unfinished(t *testing.T, command string) bool {
	t.Helper()
	return strings.HasSuffix(command, `\`) || exec.CommandContext(t.Context(), "bash", "-n", "-c", command).Run() != nil
}

// shell is a bash that is told one command after the other.
type shell struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func startShell(t *testing.T) *shell {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "--noprofile")
	cmd.Dir = t.TempDir()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	s := &shell{in, bufio.NewReader(out)}
	if printed := s.run(t, "exec 2>&1", ""); printed != "" {
		t.Fatal(printed)
	}
	return s
}

// commandEnds follows what a command has printed, with its exit code.
const commandEnds = "\x01 the command has ended with "

// run runs a command, types a line where it reads one, and returns what it prints.
func (s *shell) run(t *testing.T, command, typed string) string {
	t.Helper()
	if typed != "" {
		typed += "\n"
	}
	if _, err := fmt.Fprintf(s.in, "%s\n%sprintf '%s%%d\\n' $?\n", command, typed, commandEnds); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %s%s", err, printed.String(), line)
		}
		before, code, ended := strings.Cut(line, commandEnds)
		printed.WriteString(before)
		if !ended {
			continue
		}
		if code != "0\n" {
			t.Fatalf("%s\nended with %s%s", command, code, printed.String())
		}
		return printed.String()
	}
}

// pasted is what a reader types at a prompt.
var (
	prompt     = regexp.MustCompile(`^read -rp "(.+): " [A-Z_]+$`)
	mailPrompt = regexp.MustCompile(`^token in the mail to (\S+)$`)
)

// reader is somebody who follows a guide.
type reader struct {
	mailDir string
	printed map[string]string // by `dev`, by label
	last    any               // the last JSON that was printed
}

// answer is what the reader types at a prompt: what `dev` printed under that name,
// the token in a mail, or the member of that name in the last reply.
func (r *reader) answer(t *testing.T, asked string) string {
	t.Helper()
	if text, ok := r.printed[asked]; ok {
		return text
	}
	if to := mailPrompt.FindStringSubmatch(asked); to != nil {
		return r.mailedToken(t, to[1])
	}
	text, ok := member(r.last, asked)
	if !ok {
		t.Fatalf("nothing to paste at %q", asked)
	}
	return text
}

// member finds a text of a JSON value by its name, wherever it stands.
func member(v any, name string) (string, bool) {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v[name].(string); ok {
			return text, true
		}
		for _, inner := range v {
			if text, ok := member(inner, name); ok {
				return text, true
			}
		}
	case []any:
		for _, inner := range v {
			if text, ok := member(inner, name); ok {
				return text, true
			}
		}
	}
	return "", false
}

// mailedToken waits for the mail to somebody, and takes the token of its link.
func (r *reader) mailedToken(t *testing.T, address string) (token string) {
	t.Helper()
	waitFor(t, 30*time.Second, "a mail to "+address, func() bool {
		files, err := filepath.Glob(filepath.Join(r.mailDir, "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			link, err := url.Parse(linkInMail.FindString(string(data)))
			if err == nil && bytes.Contains(data, []byte("<"+address+">")) {
				token = link.Query().Get("token")
			}
		}
		return token != ""
	})
	return token
}

// startDev starts the cluster that `make run` does, and reads what it prints.
func startDev(t *testing.T) (port int, r *reader) {
	t.Helper()
	port = freePorts(t, nodes)
	dev := start(t, "dev", "--data-dir", filepath.Join(t.TempDir(), "data"), "--http", "127.0.0.1:"+strconv.Itoa(port))
	dev.await()
	text, err := os.ReadFile(dev.ready)
	if err != nil {
		t.Fatal(err)
	}
	var ready struct {
		Nodes []struct{ Admin string }
		Token string `json:"admin_token"`
		Mail  string `json:"mail_dir"`
		Demo  struct {
			VendorKey string `json:"vendor_api_key"`
			APIKey    string `json:"api_key"`
		}
	}
	if err := json.Unmarshal(text, &ready); err != nil {
		t.Fatal(err)
	}
	return port, &reader{mailDir: ready.Mail, printed: map[string]string{
		"admin address of n1": ready.Nodes[0].Admin, "admin token": ready.Token, "vendor key": ready.Demo.VendorKey, "API key": ready.Demo.APIKey,
	}}
}

func followGuide(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	port, r := startDev(t)
	s := startShell(t)
	for _, step := range stepsOf(t, strings.ReplaceAll(string(text), ":8080", ":"+strconv.Itoa(port))) {
		typed := ""
		if asked := prompt.FindStringSubmatch(step.command); asked != nil {
			typed = r.answer(t, asked[1])
		} else if strings.Contains(step.command, "read -") {
			t.Fatalf("%s:%d: no prompt that the test understands", file, step.line)
		}
		printed := s.run(t, step.command, typed)
		got, isJSON := parseJSON([]byte(printed))
		if isJSON {
			r.last = got
		}
		want, wantJSON := parseJSON([]byte(step.expectedText))
		var wrong []string
		switch {
		case isJSON && wantJSON:
			wrong = differences("", want, got)
		case !likeLines(step.expectedText, printed):
			wrong = []string{"want " + step.expectedText}
		}
		if len(wrong) > 0 {
			t.Fatalf("%s:%d: %s\nprints %s%s", file, step.line, step.command, printed, strings.Join(wrong, "\n"))
		}
	}
}

// likeLines compares line by line.
func likeLines(want, got string) bool {
	wanted, printed := strings.Split(strings.TrimSuffix(want, "\n"), "\n"), strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if len(wanted) != len(printed) {
		return false
	}
	for i := range wanted {
		if !likeText(wanted[i], printed[i]) {
			return false
		}
	}
	return true
}
