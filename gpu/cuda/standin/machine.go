//go:build cuda

package standin

// #include "standin.h"
import "C"

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"diaghess/gpu/cuda/shim"
	"diaghess/gpu/emu/ptx"
)

// Options describe a machine. The zero value has one card, a driver that loads every
// PTX of the project, and the cuDNN of the headers.
type Options struct {
	Cards []Card // nil for one as Card's zero value describes it
	// Driver is the version that cuDriverGetVersion tells, 0 for 13000; PTX the
	// newest version that it loads, "" for "9.0".
	Driver int
	PTX    string
	// CuDNN is the version that cudnnGetVersion tells, 0 for that of the headers;
	// NoCuDNN leaves the library out.
	CuDNN   int
	NoCuDNN bool
	// OwnAnswers has cuDNN make no plan on a handle of what another handle was told.
	OwnAnswers bool
	// Seed draws which of several streams goes on when something is waited for; 0
	// does only what is waited for, as late as can be.
	Seed uint64
	// Check says how much of a kernel is checked, and Threads how many blocks of it
	// run at once, 0 for all processors.
	Check   ptx.Check
	Threads int
	// Fault is the call that fails.
	Fault Fault
	// Endless is the entry of a kernel that does not end before the test does.
	Endless string
	// Obey has the driver obey CUDA_VISIBLE_DEVICES, as it is when the machine starts.
	Obey bool
}

// Card is a card. The zero value has 1 GiB and compute capability 9.0.
type Card struct {
	Name       string
	Capability [2]int
	Memory     uint64 // bytes
	UUID       string // as nvidia-smi -L shows it, of a MIG instance from "MIG-" on
	// Fault is the call that fails among those that name the card or have its context.
	Fault Fault
}

// Fault makes one call fail: the Call-th of the function Name, counted from 1, or of
// all functions where Name is "". The zero value is no fault. Functions that free
// something still free it.
type Fault struct {
	Name string
	Call int
	// Status is what a driver's function returns, 0 for 999, an unknown error; that
	// of a kernel's or a card's fault breaks the context. A function of cuDNN returns its internal
	// error whatever Status is.
	Status int32
}

// Machine is what the functions work on.
type Machine struct {
	options Options
	// first is the first handle of this machine. Those before it are an earlier
	// one's, of which the garbage collector may still destroy descriptors.
	first uintptr

	mutex      sync.Mutex // held by each call, but while a kernel that does not end runs
	end        *sync.Cond // of the test
	ended      bool
	ready      bool // cuInit has been called
	cards      []*card
	objects    map[uintptr]object
	past       map[uintptr]string // what handles were, that are no more
	abandoned  map[uintptr]bool
	last       uintptr // handle
	calls      []string
	counts     map[string]int // of calls, by name
	failing    bool           // the call at work returns a failure in any case
	failed     bool           // a call was made to fail
	violations []string
	random     *rand.Rand             // nil without a seed
	parsed     map[string]*ptx.Module // by text, also of the machines before
	tokens     int                    // of convolutions at work
	products   products
}

// card is a card at work: its primary context while that is retained.
type card struct {
	Card
	context *context
	most    uint64 // bytes that were allocated at once
	calls   int
	counts  map[string]int // of calls, by name
}

// object is what a handle stands for.
type object interface{ about() *origin }

// origin is what all objects have.
type origin struct {
	kind    string
	handle  uintptr
	context *context // nil of what belongs to none
	call    int      // that made it
}

func (o *origin) about() *origin { return o }

// installed is the machine behind the process's driver functions, which get no
// argument that could lead to it.
var installed atomic.Pointer[Machine]

const (
	firstHandle = 0x1_0000_0000 // no address of the host
	handleStep  = 0x10
)

// Start puts a machine behind the driver and cuDNN until the test ends, and fails
// the test for its violations and for what was not given back.
func Start(t testing.TB, o Options) *Machine {
	t.Helper()
	if o.Cards == nil {
		o.Cards = []Card{{}}
	}
	if o.Driver == 0 {
		o.Driver = 13000
	}
	if o.PTX == "" {
		o.PTX = "9.0"
	}
	if o.CuDNN == 0 {
		o.CuDNN = dnnHeader
	}
	m := &Machine{
		options: o, first: firstHandle,
		objects: map[uintptr]object{}, past: map[uintptr]string{}, abandoned: map[uintptr]bool{}, counts: map[string]int{}, parsed: map[string]*ptx.Module{},
	}
	m.end = sync.NewCond(&m.mutex)
	for _, c := range o.Cards {
		if c.Name == "" {
			c.Name = "Stand-in"
		}
		if c.Capability == [2]int{} {
			c.Capability = [2]int{9, 0}
		}
		if c.Memory == 0 {
			c.Memory = 1 << 30
		}
		m.cards = append(m.cards, &card{Card: c, counts: map[string]int{}})
	}
	if list, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set && o.Obey {
		m.cards = visible(m.cards, list)
	}
	if o.Seed != 0 {
		m.random = rand.New(rand.NewPCG(o.Seed, 2))
	}
	if earlier := installed.Load(); earlier != nil {
		m.first, m.parsed = earlier.last+handleStep, earlier.parsed
	}
	m.last = m.first
	installed.Store(m)
	shim.Clear()
	var count C.int
	for _, f := range unsafe.Slice(C.standin_functions(&count), count) {
		name := C.GoString(f.name)
		if o.NoCuDNN && isCuDNN(name) {
			continue
		}
		if err := shim.Set(name, f.function); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		m.endKernels()
		shim.Clear()
		m.products.close()
		for _, v := range m.TakeViolations() {
			t.Errorf("the driver's rules: %s", v)
		}
		for kind, n := range m.Live() {
			t.Errorf("left over: %d %s(s), the first made by %s", n, kind, m.maker(kind))
		}
	})
	return m
}

// endKernels ends those that did not end by themselves, and fails them.
func (m *Machine) endKernels() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.ended = true
	m.end.Broadcast()
}

func isCuDNN(name string) bool { return len(name) > 5 && name[:5] == "cudnn" }

// TakeViolations returns what broke a rule, faults of kernels included, and forgets
// it.
func (m *Machine) TakeViolations() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	v := m.violations
	m.violations = nil
	return v
}

// Live returns how many objects of each kind there are.
func (m *Machine) Live() map[string]int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	live := map[string]int{}
	for _, o := range m.objects {
		if kind := o.about().kind; kind != kindFunction {
			live[kind]++
		}
	}
	return live
}

// Abandon forgets what is left of a kind and returns how much that was: for what is
// lost in code that is not ours. The garbage collector may still end it.
func (m *Machine) Abandon(kind string) int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	n := 0
	for handle, o := range m.objects {
		if o.about().kind == kind {
			delete(m.objects, handle)
			m.abandoned[handle] = true
			n++
		}
	}
	return n
}

// maker names the call that made the first object of a kind.
func (m *Machine) maker(kind string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, handle := range slices.Sorted(maps.Keys(m.objects)) {
		if o := m.objects[handle].about(); o.kind == kind {
			return fmt.Sprintf("call %d, %s", o.call, m.calls[o.call-1])
		}
	}
	return "nothing"
}

// Calls returns the names of the calls so far.
func (m *Machine) Calls() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.calls)
}

// Used returns how many bytes of a card's memory are allocated, and how many were at
// most.
func (m *Machine) Used(card int) (now, most uint64) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	k := m.cards[card]
	if k.context != nil {
		now = k.context.used
	}
	return now, k.most
}

// violate notes that the call at work breaks a rule.
func (m *Machine) violate(format string, arguments ...any) {
	m.violations = append(m.violations, fmt.Sprintf("call %d, %s: ", len(m.calls), m.calls[len(m.calls)-1])+fmt.Sprintf(format, arguments...))
}

// put gives an object its handle.
func put[T object](m *Machine, kind string, c *context, o T) uintptr {
	m.last += handleStep
	*o.about() = origin{kind: kind, handle: m.last, context: c, call: len(m.calls)}
	m.objects[m.last] = o
	return m.last
}

// find returns the object of a handle, of the given context or, where that is nil,
// of any. A handle of something else is a violation.
func find[T object](m *Machine, c *context, what string, handle uintptr) (T, bool) {
	var none T
	found, ok := m.objects[handle]
	if !ok {
		if kind, ok := m.past[handle]; ok {
			m.violate("%s %#x is a %s that is no more", what, handle, kind)
		} else {
			m.violate("%s %#x is no handle", what, handle)
		}
		return none, false
	}
	o, ok := found.(T)
	if !ok {
		m.violate("%s %#x is a %s", what, handle, found.about().kind)
		return none, false
	}
	if c != nil && o.about().context != c {
		m.violate("%s %#x is of another context", what, handle)
		return none, false
	}
	return o, true
}

// drop ends an object.
func (m *Machine) drop(o object) {
	at := o.about()
	delete(m.objects, at.handle)
	m.past[at.handle] = at.kind
}

// rule says when a function may be called.
type rule uint

const (
	needsInit    rule = 1 << iota
	needsContext      // a current one, which no fault has broken
	noCapture         // no capture that forbids what may wait or allocate
	givesBack         // does what it does even where it returns a failure

	anytime     rule = 0
	withContext      = needsInit | needsContext
	unsafeCall       = withContext | noCapture // as captures call it
)

// visible returns the cards of a list as the driver reads it: indices, or beginnings of UUIDs,
// up to the first that is not that of one card. Who names a card twice sees none.
//
// Source: NVIDIA, "CUDA C++ Programming Guide", CUDA environment variables; for cards that are
// named twice and for what follows a number, PyTorch's torch/cuda/__init__.py.
func visible(all []*card, list string) (seen []*card) {
	leading := regexp.MustCompile(`^\s*[0-9]+`)
	for entry := range strings.SplitSeq(list, ",") {
		var named []*card
		if n, err := strconv.Atoi(strings.TrimSpace(leading.FindString(entry))); err == nil && n < len(all) {
			named = all[n : n+1]
		}
		if strings.HasPrefix(entry, "GPU-") || strings.HasPrefix(entry, "MIG-") {
			named = slices.DeleteFunc(slices.Clone(all), func(k *card) bool { return !strings.HasPrefix(k.UUID, entry) })
		}
		if len(named) != 1 {
			break
		}
		if slices.Contains(seen, named[0]) {
			return nil
		}
		seen = append(seen, named[0])
	}
	return seen
}

// driver is the frame of a function of the driver.
func driver(name string, r rule, body func(m *Machine, c *context) status) status {
	return call(name, r, func(s status) status { return s }, body)
}

// cuDNN is the frame of a function of cuDNN.
func cuDNN(name string, r rule, body func(m *Machine, c *context) status) status {
	return call(name, r, func(s status) status {
		switch {
		case s == success:
			return success
		case breaks(s):
			return dnnExecutionFailed
		}
		return dnnInternalError
	}, body)
}

// call counts a call, holds it against its rule and does it. translate makes a
// result of the function's library of one of the driver's.
func call(name string, r rule, translate func(status) status, body func(m *Machine, c *context) status) status {
	m := installed.Load()
	m.mutex.Lock()
	defer m.mutex.Unlock()
	c, result := m.begin(name, r)
	result = translate(result)
	if result == success || r&givesBack != 0 && (c != nil || r&needsContext == 0) {
		if own := body(m, c); result == success {
			result = own
		}
	}
	return result
}

// begin counts a call and holds it against its rule. It returns the current context
// where the rule wants one.
func (m *Machine) begin(name string, r rule) (*context, status) {
	m.calls = append(m.calls, name)
	m.counts[name]++
	f := m.options.Fault
	m.failing = f.strikes(name, len(m.calls), m.counts[name])
	var c *context
	if r&needsInit != 0 && !m.ready {
		m.violate("before cuInit")
		return nil, notInitialized
	}
	if r&needsContext != 0 {
		var ok bool
		if c, ok = m.objects[uintptr(C.standin_current())].(*context); !ok {
			m.violate("without a current context")
			return nil, invalidContext
		}
		if c.broken != success {
			return c, c.broken
		}
		if !m.failing && c.card.strikes(name) {
			f, m.failing = c.card.Fault, true
		}
	}
	if r&noCapture != 0 {
		if forbidding := c.forbids(uintptr(C.standin_thread())); forbidding != nil {
			m.violate("not allowed while a stream captures")
			forbidding.invalid = true
			return c, captureUnsupported
		}
	}
	if !m.failing {
		return c, success
	}
	m.failed = true
	if c != nil && breaks(f.Status) {
		c.broken = f.Status
	}
	return c, f.status()
}

// strikes counts a call that names the card or has its context, and says whether it fails.
func (k *card) strikes(name string) bool {
	k.calls++
	k.counts[name]++
	return k.Fault.strikes(name, k.calls, k.counts[name])
}

// strikes says whether a call fails that is the n-th of all, and the m-th of its name.
func (f Fault) strikes(name string, n, m int) bool {
	return f.Name == "" && f.Call == n || f.Name == name && f.Call == m
}

// status is what the call that fails returns.
func (f Fault) status() status { return cmp.Or(f.Status, unknownError) }
