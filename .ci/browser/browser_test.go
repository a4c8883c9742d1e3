// Package browser opens pages of reports in Chromium, wide and narrow, light and dark. It has
// a module of its own: the program does not depend on what drives the browser.
package browser

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// root is the root of the checkout.
const root = "../.."

//go:embed inspect.js
var inspect string

// newBrowser starts a browser, which the end of the test ends.
func newBrowser(t *testing.T) context.Context {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start Chromium, which is Debian's package chromium: %v", err)
	}
	return browser
}

// faultsOf opens a page, in windows of some widths, light and dark, and returns its faults.
func faultsOf(t *testing.T, browser context.Context, path string, widths ...int64) []string {
	t.Helper()
	tab, end := chromedp.NewContext(browser)
	defer end()
	address := (&url.URL{Scheme: "file", Path: path}).String()
	var mutex sync.Mutex
	var faults []string
	fault := func(format string, values ...any) {
		mutex.Lock()
		defer mutex.Unlock()
		faults = append(faults, fmt.Sprintf(format, values...))
	}
	err := chromedp.Listen(tab, func(event any) { // waits for nothing
		switch e := event.(type) {
		case *fetch.EventRequestPaused:
			if e.Request.URL == address {
				go chromedp.Call(tab, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
				return
			}
			fault("request of %s", e.Request.URL)
			go chromedp.Call(tab, fetch.FailRequest, fetch.FailRequestParams{RequestID: e.RequestID, ErrorReason: network.ErrorReasonBlockedByClient})
		case *network.EventWebSocketCreated:
			fault("request of %s", e.URL)
		case *runtime.EventExceptionThrown:
			fault("script error: %s", cmp.Or(e.ExceptionDetails.Exception, &runtime.RemoteObject{}).Description)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork { // of requests is told above
				fault("error: %s", e.Entry.Text)
			}
		case *page.EventJavascriptDialogOpening:
			fault("dialog: %s", e.Message)
			go chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	limited, stop := context.WithTimeout(tab, 5*time.Minute)
	defer stop()
	_, err1 := chromedp.Call(limited, network.Enable, network.EnableParams{})
	_, err2 := chromedp.Call(limited, log.Enable, cdp.Empty{})
	_, err3 := chromedp.Call(limited, fetch.Enable, fetch.EnableParams{})
	if err := errors.Join(err1, err2, err3, chromedp.Do(limited, chromedp.Navigate(address))); err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	for _, width := range widths {
		for _, scheme := range []string{"light", "dark"} {
			_, err1 := chromedp.Call(limited, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1})
			_, err2 := chromedp.Call(limited, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			seen, err3 := chromedp.Run(limited, chromedp.Evaluate[[]string](inspect, chromedp.EvalAwaitPromise))
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Fatalf("inspect %s: %v", path, err)
			}
			for _, s := range seen {
				fault("%d wide, %s: %s", width, scheme, s)
			}
		}
	}
	mutex.Lock()
	defer mutex.Unlock()
	return faults
}

// hostile are names that a foreign file may hold.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=https://example.com/x onerror=alert(2)>`, strings.Repeat("unbreakable", 30),
	"long:" + strings.Repeat("key=value,", 40), "مُحسِّن \u202eabc", "🔥👩🏽‍🚀 optimizer", "</svg><b>{{.}}",
}

// pages makes the pages of reports and returns their paths by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "diaghess")
	do := func(name string, arguments ...string) {
		t.Helper()
		command := exec.Command(name, arguments...)
		command.Dir = root
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	do("go", "build", "-o", program, "./cmd/diaghess")
	do(program, "quickstart", "--seeds", "3", "--out", in("quick"))
	// One of eight arms diverges.
	do(program, "study", "--datasets", "digits", "--model", "mlp", "--epochs", "3", "--limit", "200", "--seeds", "0-4", "--out", in("study"),
		"--optimizers", "adamw,sgd:lr=1e9,diaghess,adam,rmsprop,adabelief,sophia,adahessian")

	var csv bytes.Buffer
	fmt.Fprintln(&csv, "dataset,seed,optimizer,val_loss,val_acc,f1,train_time")
	for i, name := range hostile {
		for seed := range 3 {
			fmt.Fprintf(&csv, "%[1]s,%d,%[1]s,0.%d,0.5,0.5,1\n%[1]s,%[2]d,first,0.4,0.6,0.5,1\n", `"`+strings.ReplaceAll(name, `"`, `""`)+`"`, seed, i+seed)
		}
	}
	write(t, in("hostile.csv"), csv.Bytes())
	do(program, "report", "--out", in("csv"), in("hostile.csv"))

	for i, name := range hostile {
		folder := in(fmt.Sprintf("hostile-%d", i))
		rename(t, in("study/digits"), filepath.Join(folder, "digits"), name)
		do(program, "report", "--out", folder, folder)
	}
	found := map[string]string{}
	for _, path := range must(filepath.Glob(in("*/index.html")))(t) {
		found[filepath.Base(filepath.Dir(path))] = path
	}
	for _, path := range must(filepath.Glob(in("quick/*/index.html")))(t) {
		found["quickstart "+filepath.Base(filepath.Dir(path))] = path
	}
	return found
}

// rename copies the records of runs, with another name for their machine and their compiler. A
// record with a data set or an optimizer of a foreign name is refused.
func rename(t *testing.T, from, to, name string) {
	t.Helper()
	field := regexp.MustCompile(`"(machine|go)": "[^"]*"`)
	quoted := must(json.Marshal(name))(t)
	err := fs.WalkDir(os.DirFS(from), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content := must(os.ReadFile(filepath.Join(from, path)))(t)
		content = field.ReplaceAllFunc(content, func(old []byte) []byte {
			key, _, _ := bytes.Cut(old, []byte(": "))
			return slices.Concat(key, []byte(": "), quoted)
		})
		write(t, filepath.Join(to, path), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPages(t *testing.T) {
	browser, all := newBrowser(t), pages(t)
	if want := 4 + len(hostile); len(all) != want {
		t.Fatalf("%d pages, want %d: %v", len(all), want, all)
	}
	for name, path := range all {
		for _, fault := range faultsOf(t, browser, path, 400, 1200) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// TestFindsFaults opens pages with a fault each.
func TestFindsFaults(t *testing.T) {
	browser := newBrowser(t)
	for name, c := range map[string]struct {
		body string
		want []string // in the faults
	}{
		"none":              {`<p>Words</p><svg role="img" aria-label="A plot" fill="currentColor"><text y="9">1</text></svg><img alt="Dot" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">`, nil},
		"an external image": {`<img alt="Dot" src="https://example.com/x.png">`, []string{"request of https://example.com/x.png"}},
		"another file":      {`<link rel="stylesheet" href="other.css">`, []string{"request of file:///"}},
		"a style's request": {`<style>p { background: url(https://example.com/y) }</style><p>Words</p>`, []string{"request of https://example.com/y"}},
		"a script's error":  {`<script>undefined.x</script>`, []string{"script error: "}},
		"a late error":      {`<script>Promise.reject(new Error("late"))</script>`, []string{"script error: "}},
		"a dialog":          {`<script>alert(1)</script>`, []string{"dialog: 1"}},
		"a wide table":      {`<table><tr><td style="white-space: nowrap">` + strings.Repeat("wide ", 300) + `</td></tr></table>`, []string{"400 wide, light: the page scrolls: ", "400 wide, dark: <table>"}},
		"a table in a box":  {`<div style="overflow-x: auto"><table><tr><td style="white-space: nowrap">` + strings.Repeat("wide ", 300) + `</td></tr></table></div>`, []string{"<div>"}},
		"a folded one":      {`<details><div style="width: 2000px">x</div></details>`, []string{"the page scrolls: ", "<div>"}},
		"a plot unnamed":    {`<svg role="img"></svg>`, []string{"<svg role=\"img\"></svg> has no text"}},
		"a plot no picture": {`<svg aria-label="A plot"></svg>`, []string{"<svg aria-label"}},
		"an image unnamed":  {`<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">`, []string{"<img"}},
		"black on dark":     {`<p style="color: black">Words</p>`, []string{`400 wide, dark: <p> "Words" has a contrast of 1.`}},
		"white in a plot":   {`<svg role="img" aria-label="A plot"><text y="9" fill="white">1</text></svg>`, []string{`400 wide, light: <text> "1" has a contrast of 1.0`}},
		"a dark request":    {`<style>@media (prefers-color-scheme: dark) { p { background: url(https://example.com/z) } }</style><p>Words</p>`, []string{"request of https://example.com/z"}},
	} {
		path := filepath.Join(t.TempDir(), "index.html")
		write(t, path, []byte(`<!doctype html><meta name="viewport" content="width=device-width"><style>:root { color-scheme: light dark } body { overflow-wrap: normal }</style>`+c.body))
		faults := faultsOf(t, browser, path, 400)
		for _, want := range c.want {
			if !slices.ContainsFunc(faults, func(fault string) bool { return strings.Contains(fault, want) }) {
				t.Errorf("%s: found %q, want %q", name, faults, want)
			}
		}
		if c.want == nil && faults != nil {
			t.Errorf("%s: found %q", name, faults)
		}
	}
}
