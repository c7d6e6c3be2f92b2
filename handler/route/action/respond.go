package action

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/rewrite"
)

// Respond is an answer that needs no backend. As text it is a status, behind it a media
// type if the content is not plain text, and behind that the content, to the letter.
type Respond struct {
	status int
	kind   string // media type; empty: that of a file, or of plain text
	body   string
	text   string
}

// UnmarshalText parses an answer such as "200 application/json {}".
func (a *Respond) UnmarshalText(text []byte) error {
	parsed := Respond{text: string(text)}
	status, rest, _ := strings.Cut(strings.TrimLeft(parsed.text, " "), " ")
	code, err := strconv.Atoi(status)
	switch {
	case err != nil || len(status) != 3:
		return errors.New("must begin with a status, such as 200")
	case code < 200 || code > 599:
		return fmt.Errorf("%d is no status of an answer", code)
	case isRedirect(code):
		return fmt.Errorf("%d sends elsewhere, which a redirect says", code)
	}
	parsed.status, parsed.body = code, rest
	if kind, body, _ := strings.Cut(rest, " "); isMediaType(kind) {
		parsed.kind, parsed.body = withCharset(kind), body
	}
	if parsed.kind+parsed.body != "" && !hasContent(code) {
		return fmt.Errorf("an answer of %d has no content", code)
	}
	*a = parsed
	return nil
}

// MarshalText returns what the answer was parsed from.
func (a Respond) MarshalText() ([]byte, error) { return []byte(a.text), nil }

// IsZero reports whether there is no answer.
func (a Respond) IsZero() bool { return a.status == 0 }

// hasContent reports whether an answer of that status may have content (RFC 9110 §6.4.1).
func hasContent(status int) bool {
	return status != http.StatusNoContent && status != http.StatusResetContent && status != http.StatusNotModified
}

// mediaTypes are the registered top-level ones: text that has a slash in it is no media
// type for that.
var mediaTypes = []string{"application", "audio", "font", "image", "message", "model", "multipart", "text", "video"}

func isMediaType(text string) bool {
	kind, _, err := mime.ParseMediaType(text)
	top, _, ok := strings.Cut(kind, "/")
	return err == nil && ok && slices.Contains(mediaTypes, top)
}

// withCharset says of text that says nothing of it that it is UTF-8, as variables are.
func withCharset(kind string) string {
	if strings.HasPrefix(strings.ToLower(kind), "text/") && !strings.Contains(kind, ";") {
		return kind + "; charset=utf-8"
	}
	return kind
}

const plainText = "text/plain; charset=utf-8"

// maxBody is the size of the largest content that is kept to answer with.
const maxBody = 1 << 20

// BodyFile is content that is in a file, of at most 1 MiB. It is read once.
type BodyFile struct {
	path    string
	content []byte
}

// UnmarshalText reads the file of that name.
func (f *BodyFile) UnmarshalText(path []byte) error {
	file, err := os.Open(string(path))
	if err != nil {
		return errors.Unwrap(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxBody+1))
	switch {
	case err != nil:
		return errors.Unwrap(err)
	case len(content) > maxBody:
		return errors.New("is larger than 1 MiB")
	}
	*f = BodyFile{string(path), content}
	return nil
}

// MarshalText returns the name of the file.
func (f BodyFile) MarshalText() ([]byte, error) { return []byte(f.path), nil }

// kind returns the media type that the file's name and content say.
func (f *BodyFile) kind() string {
	if kind := mime.TypeByExtension(filepath.Ext(f.path)); kind != "" {
		return kind
	}
	if utf8.Valid(f.content) {
		return plainText
	}
	return "application/octet-stream"
}

type responder struct {
	status int
	body   []byte
	fields http.Header // shared by all answers
	etag   string      // empty where nobody may ask whether it has changed
	facts  rewrite.Facts
	answer *rewrite.Rewriter
	refuse func(http.ResponseWriter, *http.Request, fault.Refusal)
}

func newResponder(c *Config, facts rewrite.Facts, answer *rewrite.Rewriter, refuse func(http.ResponseWriter, *http.Request, fault.Refusal)) *responder {
	h := &responder{status: c.Respond.status, body: []byte(c.Respond.body), fields: http.Header{}, facts: facts, answer: answer, refuse: refuse}
	kind := c.Respond.kind
	if c.Body.path != "" {
		h.body = c.Body.content
		if kind == "" {
			kind = c.Body.kind()
		}
	}
	if kind == "" && len(h.body) > 0 {
		kind = plainText
	}
	if kind != "" {
		h.fields["Content-Type"] = []string{kind}
	}
	if hasContent(h.status) {
		h.fields["Content-Length"] = []string{strconv.Itoa(len(h.body))}
	}
	if h.status == http.StatusOK && len(h.body) > 0 {
		sum := sha256.Sum256(h.body)
		h.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
		h.fields["Etag"] = []string{h.etag}
	}
	return h
}

func (h *responder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := handler.RefusalOf(r); why.Status != 0 {
		h.refuse(w, r, why)
		return
	}
	status, header := h.status, w.Header()
	maps.Copy(header, h.fields)
	asksContent := r.Method == http.MethodGet || r.Method == http.MethodHead
	if h.etag != "" && asksContent && matches(r.Header["If-None-Match"], h.etag) {
		status = http.StatusNotModified
		delete(header, "Content-Type")
		delete(header, "Content-Length")
	}
	target := handler.OutgoingURL(r)
	v := h.facts.ValuesOf(r, &target)
	h.answer.Answer(header, &v)
	handler.AnswerOf(r).Apply(header)
	if header["Content-Type"] == nil {
		header["Content-Type"] = nil // keeps net/http from guessing one
	}
	w.WriteHeader(status)
	if status == h.status && r.Method != http.MethodHead && len(h.body) > 0 {
		io.Copy(w, bytes.NewReader(h.body))
	}
}

// matches reports whether lines of If-None-Match name an answer with that ETag (RFC 9110
// §13.1.2): weakness makes no difference.
func matches(lines []string, etag string) bool {
	for _, line := range lines {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.Trim(tag, " \t")
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
