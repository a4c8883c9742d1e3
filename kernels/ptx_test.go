package kernels

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"diaghess/gpu"
)

// allKernels has one of each struct.
var allKernels = []gpu.Kernel{
	&AdamUpdate{}, &Advance{}, &BatchMetrics{}, &BatchNormFinish{}, &BatchNormGradient{}, &BatchNormInference{},
	&BatchNormStats{}, &CalibrateAverage{}, &CalibrateBlend{}, &CalibrateWeights{}, &CenteredSquare{}, &ChannelMean{}, &ColumnsBackward{}, &ColumnsForward{}, &Copy{}, &CurvatureAverage{}, &CurvatureSum{}, &DiagHessLambda{}, &DiagHessMinimum{}, &DiagHessUpdate{}, &DropoutMask{}, &EpilogueBackward{},
	&EpilogueForward{}, &EpiloguePoolBackward{}, &EpiloguePoolForward{}, &EpilogueReduce{}, &Fill{}, &GGNColumn{}, &Gather{},
	&GatherAugment{}, &GatherValues{}, &HesScaleBackward{}, &HesScaleFinish{}, &HesScaleLogits{}, &HesScaleSlope{}, &HutchinsonSample{}, &Initialize{}, &MuonMomentum{}, &MuonNormalize{}, &MuonPolynomial{}, &MuonUpdate{}, &Rademacher{}, &SampleLabels{}, &Square{}, &SGDUpdate{}, &SoftmaxCrossEntropy{}, &StatisticsMerge{}, &TangentBackward{}, &TangentFinish{}, &TangentForward{}, &TangentGradient{},
	&TangentLoss{}, &TangentPoolForward{}, &TangentReduce{}, &TangentStats{}, &TapMean{}, &WeightAverage{},
}

// TestAllKernels holds the list above against the methods in the source files.
func TestAllKernels(t *testing.T) {
	var listed, found []string
	for _, k := range allKernels {
		listed = append(listed, k.Entry())
	}
	method := regexp.MustCompile(`func \(k \*\w+\) Entry\(\) string +\{ return "(\w+)" \}`)
	for _, file := range glob(t, "*.go") {
		for _, match := range method.FindAllStringSubmatch(read(t, file), -1) {
			found = append(found, match[1])
		}
	}
	slices.Sort(listed)
	slices.Sort(found)
	if !slices.Equal(listed, found) {
		t.Errorf("allKernels lists %v, the Go files have %v", listed, found)
	}
}

// TestEntries compares each struct with the PTX entry of its name: the fields in
// order are the parameters. And no entry is without a struct.
func TestEntries(t *testing.T) {
	// A PTX type says the size, and float or not.
	ptxTypes := map[reflect.Type]string{
		reflect.TypeFor[int32](): "u32", reflect.TypeFor[uint32](): "u32",
		reflect.TypeFor[uint64](): "u64", reflect.TypeFor[float32](): "f32",
	}
	parameters := entries(t)
	for _, k := range allKernels {
		got, ok := parameters[k.Entry()]
		if !ok {
			t.Errorf("no PTX has the entry %s", k.Entry())
			continue
		}
		delete(parameters, k.Entry())
		var want []string
		for _, field := range parameterFields(k) {
			if isPointer(field.Type) {
				want = append(want, "u64")
			} else {
				want = append(want, ptxTypes[field.Type])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("parameters of %s in PTX: %v, fields of %T: %v", k.Entry(), got, k, want)
		}
	}
	for entry := range parameters {
		t.Errorf("no struct has the PTX entry %s", entry)
	}
}

// TestSignatures compares each struct with the __global__ function in the .cu
// file: the names, which PTX does not keep, so that two parameters of one type
// that have changed places are found, and the types that pointers point to.
func TestSignatures(t *testing.T) {
	cudaTypes := map[reflect.Type]string{
		reflect.TypeFor[int32](): "int32", reflect.TypeFor[uint32](): "uint32",
		reflect.TypeFor[uint64](): "uint64", reflect.TypeFor[float32](): "float",
		reflect.TypeFor[gpu.Slice[uint8]](): "uint8 *__restrict__", reflect.TypeFor[gpu.Slice[int32]](): "int32 *__restrict__",
		reflect.TypeFor[gpu.Slice[uint32]](): "uint32 *__restrict__", reflect.TypeFor[gpu.Slice[float32]](): "float *__restrict__",
	}
	signatures := map[string]string{}
	function := regexp.MustCompile(`extern "C" __global__ void __launch_bounds__\([^)]*\)\s+(\w+)\(([^)]*)\)`)
	for _, file := range glob(t, "*.cu") {
		for _, match := range function.FindAllStringSubmatch(read(t, file), -1) {
			signature := strings.Join(strings.Fields(match[2]), " ")
			signatures[match[1]] = strings.ReplaceAll(signature, "const ", "")
		}
	}
	for _, k := range allKernels {
		var want []string
		for _, field := range parameterFields(k) {
			name := strings.ToLower(field.Name[:1]) + field.Name[1:]
			want = append(want, cudaTypes[field.Type]+" "+name)
		}
		if got, want := signatures[k.Entry()], strings.Join(want, ", "); got != want {
			t.Errorf("parameters of %s in CUDA: %s, fields of %T: %s", k.Entry(), got, k, want)
		}
	}
}

// parameterFields returns the fields that are parameters.
func parameterFields(k gpu.Kernel) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(reflect.TypeOf(k).Elem()), func(field reflect.StructField) bool {
		return !field.IsExported()
	})
}

func isPointer(t reflect.Type) bool { return strings.HasPrefix(t.Name(), "Slice[") }

// entries returns the parameter types of each entry in the embedded PTX.
func entries(t *testing.T) map[string][]string {
	entry := regexp.MustCompile(`\.entry (\w+)\(([^)]*)\)`)
	parameter := regexp.MustCompile(`\.param \.(\w+)`)
	found := map[string][]string{}
	for _, file := range glob(t, "ptx/*.ptx") {
		for _, match := range entry.FindAllStringSubmatch(read(t, file), -1) {
			name := match[1]
			if _, twice := found[name]; twice {
				t.Errorf("two families have the entry %s", name)
			}
			types := []string{}
			for _, p := range parameter.FindAllStringSubmatch(match[2], -1) {
				types = append(types, p[1])
			}
			found[name] = types
			if of, source, err := Module(name); of != filepath.Base(file) || source != read(t, file) || err != nil {
				t.Errorf("Module(%q) is %q, %v, want %q and its content", name, of, err, file)
			}
		}
	}
	return found
}

// TestPTXIsFresh fails when a CUDA source has changed since make kernels.
func TestPTXIsFresh(t *testing.T) {
	var manifest struct {
		Compiler, Flags string
		Sources         map[string]string // file: SHA-256
	}
	if err := json.Unmarshal([]byte(read(t, "ptx/manifest.json")), &manifest); err != nil {
		t.Fatal(err)
	}
	var families []string
	for _, file := range slices.Concat(glob(t, "*.cu"), glob(t, "*.cuh")) {
		sum := sha256.Sum256([]byte(read(t, file)))
		if got, want := manifest.Sources[file], hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s has SHA-256 %s, the PTX was made from %q: run make kernels", file, want, got)
		}
		delete(manifest.Sources, file)
		if family, isModule := strings.CutSuffix(file, ".cu"); isModule {
			families = append(families, "ptx/"+family+".ptx")
			if _, err := os.Stat(family + ".go"); err != nil {
				t.Errorf("%s has no Go file of its stem", file)
			}
		}
	}
	for file := range manifest.Sources {
		t.Errorf("the PTX was made from %s, which is gone: run make kernels", file)
	}
	if files := glob(t, "ptx/*.ptx"); !slices.Equal(files, families) {
		t.Errorf("%v are embedded, the sources make %v", files, families)
	}
	if !strings.Contains(manifest.Flags, "-fmad=false") {
		t.Errorf("the PTX was made with %q: without -fmad=false it rounds unlike Go", manifest.Flags)
	}
}

// TestUnknownPTX asks for what is not there.
func TestUnknownPTX(t *testing.T) {
	if file, _, err := Module("adam"); err == nil { // the beginning of adam_update
		t.Errorf("the PTX of an unknown entry: %q", file)
	}
}

// TestGeometry holds the numbers of common.cuh against those of the Go files.
func TestGeometry(t *testing.T) {
	want := map[string]int{
		"threads": threads, "elementsPerBlock": elementsPerBlock, "elementsPerChunk": elementsPerChunk,
		"warpsPerBlock": warpsPerBlock, "channelsPerBlock": channelsPerBlock, "columnRows": columnRows, "rowsPerSoftmaxBlock": rowsPerSoftmaxBlock, "chunkWords": ChunkWords,
		"coefficientWords": CoefficientWords, "dropoutSegmentWords": DropoutSegmentWords, "initialSegmentWords": InitialSegmentWords, "signsPerCall": signsPerCall,
		"stateStep": StateStep, "stateBatch": StateBatch, "stateSample": StateSample, "statePass": StatePass,
		// What these have no name for in Go.
		"warpLanes": 32, "maxLanes": threads / 2,
	}
	constant := regexp.MustCompile(`(?m)^constexpr int (\w+) = (\w+);`)
	for _, match := range constant.FindAllStringSubmatch(read(t, "common.cuh"), -1) {
		got, err := strconv.Atoi(match[2])
		if value, known := want[match[1]]; err != nil || !known || got != value {
			t.Errorf("common.cuh: %s = %s, in Go %d", match[1], match[2], value)
		}
		delete(want, match[1])
	}
	for name := range want {
		t.Errorf("common.cuh does not define %s", name)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
