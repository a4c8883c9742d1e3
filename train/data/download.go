package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// client downloads over HTTP.
type client struct {
	http *http.Client

	// stall is how long a transfer may bring nothing before it is broken off.
	stall time.Duration
	// pause is the wait before a broken transfer is taken up again.
	pause time.Duration
	// In each window of a transfer its pace is measured; a source that at this
	// pace would need more than patience is put off until the others have been
	// tried.
	window, patience time.Duration
	// progress is how many bytes a transfer must bring to be worth taking up
	// again without counting as a failure.
	progress int64
}

// newClient returns a client that gives up on a host that does not answer within
// seconds, and lets a transfer take as long as bytes come.
func newClient() client {
	return client{
		http: &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 10 * time.Second,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true, // byte ranges count compressed bytes
		}},
		stall:    60 * time.Second,
		pause:    time.Second,
		window:   15 * time.Second,
		patience: 4 * time.Minute,
		progress: 64 << 10,
	}
}

// maximumFailures is how many transfers in a row may bring (nearly) nothing
// before a download is given up.
const maximumFailures = 2

// statusError is an answer other than the file.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// final says whether asking again is useless: the server understood and refused.
func (e *statusError) final() bool {
	return e.code < 500 && e.code != http.StatusTooManyRequests && e.code != http.StatusRequestTimeout &&
		e.code != http.StatusRequestedRangeNotSatisfiable
}

// slowError says that a transfer was put off.
type slowError struct {
	pace float64 // bytes a second
	left time.Duration
}

func (e *slowError) Error() string {
	return fmt.Sprintf("slow: %s/s, %s left", formatBytes(int64(e.pace)), e.left.Round(time.Second))
}

var (
	errNoAnswer = errors.New("no answer")
	errStalled  = errors.New("stalled")
	errChanged  = errors.New("the file on the server is not the one whose first part is here; starting over")
)

// partState is what is known of a file PART that is not complete yet. It is kept
// beside it as PART.json, so that another process can go on.
type partState struct {
	// URL and Validator (a strong ETag or a date) are of the last answer.
	URL, Validator string
	// Total is the size of the complete file, or -1.
	Total int64
}

func readPartState(part string) (partState, bool) {
	var state partState
	content, err := os.ReadFile(part + ".json")
	if err != nil || json.Unmarshal(content, &state) != nil {
		return partState{}, false
	}
	return state, true
}

func (s partState) write(part string) error {
	content, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return local(os.WriteFile(part+".json", content, 0o644))
}

// removePart deletes a part and what is known of it.
func removePart(part string) error {
	for _, path := range []string{part, part + ".json"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return local(err)
		}
	}
	return nil
}

// download brings the file at url to the path part, which may hold its beginning
// already, and takes a broken transfer up again as long as that brings bytes.
// joined says that the file was put together from more than one answer, so that
// it may be wrong although the server's file is right. If patient is false, a slow
// transfer ends with a *slowError. Whatever the error, part remains for a later call.
func (c client) download(ctx context.Context, url, part string, patient bool, progress Progress) (joined bool, err error) {
	start, failures := partSize(part), 0
	for {
		before := partSize(part)
		joined = joined || before > 0
		err := c.transfer(ctx, url, part, patient, progress)
		if err == nil {
			return joined, nil
		}
		if ctx.Err() != nil {
			return joined, context.Cause(ctx)
		}
		var status *statusError
		var slow *slowError
		if isLocal(err) || errors.As(err, &slow) || errors.As(err, &status) && status.final() {
			return joined, err
		}
		// A host that does not answer at all is not worth a second wait, unless
		// it was there a moment ago.
		if errors.Is(err, errNoAnswer) && partSize(part) == start {
			return joined, err
		}
		if partSize(part)-before < c.progress {
			if failures++; failures == maximumFailures {
				return joined, err
			}
		} else {
			failures = 0
		}
		progress.Note(fmt.Sprintf("  broken off (%v); trying to go on from %s", err, formatBytes(partSize(part))))
		select {
		case <-ctx.Done():
			return joined, context.Cause(ctx)
		case <-time.After(c.pause):
		}
	}
}

func partSize(part string) int64 {
	info, err := os.Stat(part)
	if err != nil {
		return 0
	}
	return info.Size()
}

// transfer makes one request for what part lacks of the file and appends it.
func (c client) transfer(ctx context.Context, url, part string, patient bool, progress Progress) error {
	state, known := readPartState(part)
	offset := partSize(part)
	if offset > 0 && !known {
		offset = 0
	}
	if offset > 0 && offset == state.Total {
		return nil
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answer, err := c.request(ctx, url, offset, state)
	if err != nil {
		return err
	}
	defer answer.Body.Close()

	next := partState{URL: url, Validator: validator(answer.Header), Total: answer.ContentLength}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	switch answer.StatusCode {
	case http.StatusOK:
		offset = 0
		flags |= os.O_TRUNC
	case http.StatusPartialContent:
		begin, total, ok := parseContentRange(answer.Header.Get("Content-Range"))
		if !ok || begin != offset || state.Total >= 0 && total != state.Total {
			return errors.Join(errChanged, removePart(part))
		}
		next.Total = total
	case http.StatusRequestedRangeNotSatisfiable:
		return errors.Join(errChanged, removePart(part))
	default:
		return &statusError{answer.StatusCode, "HTTP status " + answer.Status}
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind == "text/html" {
		return &statusError{answer.StatusCode, "a web page instead of the file"}
	}

	out, err := os.OpenFile(part, flags, 0o644)
	if err != nil {
		return local(err)
	}
	defer out.Close()
	if err := next.write(part); err != nil {
		return err
	}
	progress.Begin(filepath.Base(part), offset, next.Total)
	defer progress.End()
	watch := time.AfterFunc(c.stall, func() { cancel(fmt.Errorf("%w: nothing came for %s", errStalled, c.stall)) })
	defer watch.Stop()
	received := func(n int) {
		watch.Reset(c.stall)
		progress.Add(n)
	}
	err = c.receive(ctx, out, answer.Body, next.Total-offset, patient, received)
	return errors.Join(err, local(out.Close()))
}

// request asks for the file from offset on.
func (c client) request(ctx context.Context, address string, offset int64, state partState) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &statusError{text: err.Error()}
	}
	request.Header.Set("User-Agent", "diaghess")
	request.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		if state.URL == address && state.Validator != "" {
			request.Header.Set("If-Range", state.Validator)
		}
	}
	answer, err := c.http.Do(request)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // the address is named by the caller
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return answer, nil
}

// receive copies the body of an answer to out and calls received after each
// piece. size is the length of the body, or negative.
func (c client) receive(ctx context.Context, out io.Writer, body io.Reader, size int64, patient bool, received func(int)) error {
	buffer := make([]byte, 256<<10)
	windowStart, inWindow, total := time.Now(), int64(0), int64(0)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			if _, err := out.Write(buffer[:n]); err != nil {
				return local(err)
			}
			received(n)
			inWindow += int64(n)
			total += int64(n)
		}
		if err == io.EOF {
			return nil
		}
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		elapsed := time.Since(windowStart)
		if elapsed < c.window {
			continue
		}
		pace := float64(inWindow) / elapsed.Seconds()
		left := time.Duration(float64(size-total) / pace * float64(time.Second))
		if !patient && size >= 0 && left > c.patience {
			return &slowError{pace, left}
		}
		windowStart, inWindow = time.Now(), 0
	}
}

// validator returns what tells in an If-Range whether the file is still the same:
// a strong ETag or else the date of the last change.
func validator(header http.Header) string {
	if tag := header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return header.Get("Last-Modified")
}

// parseContentRange parses "bytes BEGIN-END/TOTAL".
func parseContentRange(value string) (begin, total int64, ok bool) {
	value, ok = strings.CutPrefix(value, "bytes ")
	span, size, ok2 := strings.Cut(value, "/")
	first, _, ok3 := strings.Cut(span, "-")
	begin, err := strconv.ParseInt(first, 10, 64)
	total, err2 := strconv.ParseInt(size, 10, 64)
	return begin, total, ok && ok2 && ok3 && err == nil && err2 == nil
}
