package optim

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"diaghess/nearest/keys"

	"diaghess/gpu"
	"diaghess/optim/curvature"
	"diaghess/optim/rulefile"
	"diaghess/optim/rulefile/fused"
	"diaghess/optim/rulefile/trial"
)

// FileRule is a rule in a file, see package rulefile: formulas, in a file that is part of the
// program or the user's, or the user's kernel in PTX.
type FileRule struct {
	Schedule
	Before
	// Curvature are the options of the estimator, by the file's line curvature; the kind is
	// curvature.None without one.
	Curvature curvature.Options

	source *source
	keys   []float64 // of the file, in its order; 1 and 0 for true and false; that of lr is in Schedule
}

var _ Rule = (*FileRule)(nil)

// source is a file that has been read. Rules with different settings share it.
type source struct {
	name string // in specs
	text string
	rule *rulefile.Rule

	mutex   sync.Mutex
	kernels map[string]*fused.Kernels // by what programs differ in
}

// Source returns the text of the file of a rule, and "" for a rule without one.
func Source(rule Rule) string {
	if o, ok := rule.(*FileRule); ok {
		return o.source.text
	}
	return ""
}

// Evaluates says whether a rule has weights of its own for evaluation.
func Evaluates(rule Rule) bool {
	o, ok := rule.(*FileRule)
	return ok && o.source.rule.Evaluates
}

// shipped returns the rules that are part of the program as files, by name.
var shipped = sync.OnceValue(func() map[string]*source {
	all := map[string]*source{}
	for _, name := range rulefile.Builtin() {
		s, err := newSource(rulefile.Parse, name+".rule", name, rulefile.Source(name))
		if err != nil || s.rule.Name != name {
			panic(fmt.Sprintf("optim: the rule file of %s: %v", name, err))
		}
		all[name] = s
	}
	return all
})

// parser is rulefile.Parse or rulefile.ParseKernel.
type parser func(file, text string) (*rulefile.Rule, error)

// newSource parses a file, which is called so in messages.
func newSource(parse parser, file, name, text string) (*source, error) {
	rule, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	return &source{name: name, text: text, rule: rule, kernels: map[string]*fused.Kernels{}}, nil
}

// fileKind is what a file of the user can be.
type fileKind struct {
	prefix, extension string // of its spec, and of its name
	what              string
	most              int // bytes
	parse             parser
}

// fileKinds are rule files, and kernels in PTX.
func fileKinds() []fileKind {
	return []fileKind{
		{"rule:", ".rule", "rule file", rulefile.MostBytes, rulefile.Parse},
		{"ptx:", ".ptx", "kernel", rulefile.MostKernelBytes, rulefile.ParseKernel},
	}
}

// kindOf returns the kind of file that a spec begins with, or false.
func kindOf(spec string) (fileKind, bool) {
	for _, k := range fileKinds() {
		if strings.HasPrefix(spec, k.prefix) {
			return k, true
		}
	}
	return fileKind{}, false
}

// open reads a file of the kind.
func (k fileKind) open(path string) (*source, error) {
	if !strings.HasSuffix(path, k.extension) {
		return nil, fmt.Errorf("optimizer %s%s: give a file whose name ends in %s, and settings behind a colon, as in %[1]smy%[3]s:lr=3e-4", k.prefix, path, k.extension)
	}
	content, err := k.read(path)
	if err != nil {
		return nil, err
	}
	// A file has the same digest on systems with other line ends.
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%s %s: it is not a text in UTF-8", k.what, path)
	}
	s, err := newSource(k.parse, path, "", text)
	if err == nil {
		s.name = reference(s.rule.Name, text)
	}
	return s, err
}

// read reads a file of a size that the kind may have.
func (k fileKind) read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s %s: there is no such file", k.what, path)
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s %s: it is a folder, a pipe or a device, and a file is expected", k.what, path)
	case err == nil && info.Size() > int64(k.most):
		return nil, fmt.Errorf("%s %s: it has %d bytes, at most %d are expected", k.what, path, info.Size(), k.most)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.what, err)
	}
	return content, nil
}

// reference names a file of the user in specs: by the rule's name, and the start of the
// text's SHA-256.
func reference(name, text string) string {
	return fmt.Sprintf("%s@%.4x", name, sha256.Sum256([]byte(text)))
}

// IsReference says whether the name in a spec is that of a file of the user: it then has a part
// of the text's digest.
func IsReference(name string) bool { return referencePattern.MatchString(name) }

// recorded makes the source of a text that a record has for a name.
func recorded(name, text string) (*source, error) {
	parse := parser(rulefile.Parse)
	if rulefile.IsKernel(text) {
		parse = rulefile.ParseKernel
	}
	s, err := newSource(parse, name, name, text)
	if err == nil && name != s.rule.Name && name != reference(s.rule.Name, text) {
		err = fmt.Errorf("optimizer %s: the text that is recorded for it is that of %s", name, reference(s.rule.Name, text))
	}
	return s, err
}

var referencePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*@[0-9a-f]{8}$`)

// withDefaults returns the rule with its defaults.
func (s *source) withDefaults() *FileRule {
	o := &FileRule{source: s, Curvature: curvature.Options{Kind: curvature.None}}
	for _, k := range s.rule.Keys {
		o.keys = append(o.keys, k.Default)
		if k.Name == "lr" {
			o.Schedule = schedule(k.Default)
		}
	}
	if c := s.rule.Curvature; c != nil {
		o.Curvature = curvatureOptions(c.Kind)
		for name, value := range c.Settings {
			switch name {
			case "every":
				o.Curvature.Every = int(value)
			case "samples":
				o.Curvature.Samples = int(value)
			case "decay":
				o.Curvature.Decay = value
			case "abs":
				o.Curvature.Absolute = value != 0
			case "uncorrected":
				o.Curvature.Uncorrected = value != 0
			default:
				panic(fmt.Sprintf("optim: a line curvature with the setting %s", name))
			}
		}
	}
	return o
}

func (o *FileRule) Name() string { return o.source.name }

func (o *FileRule) Slots() []string {
	var names []string
	for _, s := range o.source.rule.Slots {
		names = append(names, s.Name)
	}
	return names
}

func (o *FileRule) curvature() *curvature.Options { return &o.Curvature }

func (o *FileRule) ownKeys() []keys.Key {
	all := o.Schedule.keys()
	if c := o.source.rule.Curvature; c != nil {
		kinds := curvature.Kinds()
		if c.Kind != curvature.None { // no formula is meant for h = 0
			kinds = someCurvature()
		}
		all = append(all, curvatureKeys(&o.Curvature, kinds)...)
	}
	for i := range o.source.rule.Keys {
		if k := &o.source.rule.Keys[i]; k.Name == "lr" {
			all[0] = keyOf(k, &o.LR)
		} else {
			all = append(all, keyOf(k, &o.keys[i]))
		}
	}
	return all
}

// keyOf makes the key of a spec for one of a rule file.
func keyOf(k *rulefile.Key, value *float64) keys.Key {
	flag := k.Flag()
	if k.Boolean {
		var truth bool
		t := keys.Boolean(flag, k.Help, &truth)
		t.Get = func() string { return strconv.FormatBool(*value != 0) }
		set := t.Set
		t.Set = func(text string) error {
			err := set(text)
			if *value = 0; truth {
				*value = 1
			}
			return err
		}
		return t
	}
	must := "in " + k.Range.String()
	if k.Whole {
		must += " without a fraction"
	}
	t := keys.Number(flag, k.Help, value, func(v float64) bool { return k.Check(v) == nil }, must)
	t.Whole, t.Low, t.High, t.Log = k.Whole, k.Range.Low, k.Range.High, k.Log
	return t
}

// kernelsFor returns the rule's kernels for a diagonal of the curvature. It makes them once for all
// rules of the source that have the same.
func (o *FileRule) kernelsFor(h rulefile.Diagonal) (*fused.Kernels, error) {
	booleans := map[string]bool{}
	for i, k := range o.source.rule.Keys {
		if k.Boolean {
			booleans[k.Name] = o.keys[i] != 0
		}
	}
	s, variant := o.source, fmt.Sprint(booleans, h)
	if s.rule.Kernel() { // is tried with its keys
		variant += fmt.Sprint(o.numbers())
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if k, ok := s.kernels[variant]; ok {
		return k, nil
	}
	program, err := rulefile.Compile(s.rule, booleans, h)
	if err != nil {
		return nil, err
	}
	var k *fused.Kernels
	if s.rule.Kernel() {
		k = fused.Own(program, s.rule.File, s.text)
		// The user's kernel may do anything, so it is tried first.
		if err := (&trial.Trial{Kernels: k, Diagonal: h, Keys: o.numbers()}).Emulate(); err != nil {
			return nil, fmt.Errorf("tried in the emulator with the parameters %s: %w", strings.Join(k.Parameters(), ", "), err)
		}
	} else if k, err = fused.New(program); err != nil {
		return nil, err
	}
	s.kernels[variant] = k
	return k, nil
}

// Trial returns the rule's kernels for a diagonal of the curvature, to be tried.
func (o *FileRule) Trial(h rulefile.Diagonal) (*trial.Trial, error) {
	k, err := o.kernelsFor(h)
	return &trial.Trial{Kernels: k, Diagonal: h, Keys: o.numbers()}, err
}

// UsesCurvature says whether formulas of the rule have h, also where the estimator is none.
func (o *FileRule) UsesCurvature() bool { return o.source.rule.Curvature != nil }

// numbers are the number keys.
func (o *FileRule) numbers() map[string]float64 {
	numbers := map[string]float64{}
	for i, key := range o.source.rule.Keys {
		switch {
		case key.Name == "lr":
			numbers[key.Name] = o.LR
		case !key.Boolean:
			numbers[key.Name] = o.keys[i]
		}
	}
	return numbers
}

// CheckDevice returns an error if a rule has no kernels for a device, which has the name.
func CheckDevice(rule Rule, device string) error {
	if o, ok := rule.(*FileRule); ok && o.source.rule.Kernel() && device == "cpu" {
		return errors.New("a kernel in PTX does not run on the device cpu: choose --device emu, or cuda with an NVIDIA GPU")
	}
	return nil
}

// check returns an error if the rule has no kernels.
func (o *FileRule) check() error {
	h := rulefile.NoDiagonal
	if o.Curvature.Kind != curvature.None {
		h = rulefile.AnyDiagonal
	}
	_, err := o.kernelsFor(h)
	return err
}

func (o *FileRule) bind(b *Buffers) (update, error) {
	if err := CheckDevice(o, b.stream.Device().Name()); err != nil {
		return nil, err
	}
	h := rulefile.NoDiagonal
	switch {
	case b.Curvature.IsNull():
	case b.NonNegative:
		h = rulefile.NonNegativeDiagonal
	default:
		h = rulefile.AnyDiagonal
	}
	k, err := o.kernelsFor(h)
	if err != nil {
		return nil, err
	}
	// The tables here and on the device.
	if err := gpu.CheckBuffer(len(b.rates) * 2 * len(k.Program.Steps) * 4); err != nil {
		return nil, err
	}
	run := rulefile.Run{Keys: o.numbers(), Rates: b.rates, StepsPerEpoch: b.run.StepsPerEpoch}
	for i, n := range b.tensors.Lengths {
		shape := rulefile.Shape{Elements: n, Rank: 1}
		if b.tensors.Shapes != nil {
			shape.Rank = len(b.tensors.Shapes[i])
		}
		run.Tensors = append(run.Tensors, shape)
	}
	numbers, err := k.Program.Coefficients(run)
	if err != nil {
		return nil, err
	}
	return k.Bind(b.arena, fused.Buffers{
		Values: b.Values, Gradients: b.Gradients, Curvature: b.Curvature, Slots: b.Slots, Evaluation: b.evaluation,
		Lengths: b.tensors.Lengths, Chunks: b.Chunks, First: b.First, State: b.State, Loss: b.loss,
	}, numbers), nil
}

// reserveSlots reserves the slots of a rule, with their initial values.
func reserveSlots(a *gpu.Arena, stream gpu.Stream, rule Rule, values gpu.Slice[float32]) (gpu.Slice[float32], error) {
	n := values.Len()
	o, ok := rule.(*FileRule)
	if !ok || !slices.ContainsFunc(o.source.rule.Slots, func(s rulefile.Slot) bool { return s.Weight || s.Initial != 0 }) {
		return gpu.Reserve[float32](a, len(rule.Slots())*n), nil
	}
	if err := gpu.CheckBuffer(len(rule.Slots()) * n * 4); err != nil {
		return gpu.Slice[float32]{}, err
	}
	var initial []float32
	for _, s := range o.source.rule.Slots {
		slot := make([]float32, n)
		if s.Weight {
			if err := gpu.Download(stream, slot, values); err != nil {
				return gpu.Slice[float32]{}, err
			}
		} else {
			for i := range slot {
				slot[i] = s.Initial
			}
		}
		initial = append(initial, slot...)
	}
	return gpu.ReserveCopy(a, initial), nil
}
