package gpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Arguments returns the parameters of a kernel's CUDA body, see [Pack]: those that a
// [Sourced] kernel gives, else its exported fields in order.
func Arguments(k Kernel) [][]byte {
	if own, ok := k.(Sourced); ok {
		return own.Arguments()
	}
	v := reflect.Indirect(reflect.ValueOf(k))
	var arguments [][]byte
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			arguments = append(arguments, argument(v.Field(i)))
		}
	}
	return arguments
}

// Pack returns values as parameters of a kernel, each as the little-endian bytes of its
// type. The address of a Slice takes 8 bytes; an int32, uint32, uint64 or float32 takes 4
// or 8. Pack panics on a value of another type.
func Pack(values ...any) [][]byte {
	var arguments [][]byte
	for _, v := range values {
		arguments = append(arguments, argument(reflect.ValueOf(v)))
	}
	return arguments
}

// argument encodes one value.
func argument(v reflect.Value) []byte {
	if pointer, ok := v.Interface().(interface{ Address() uint64 }); ok {
		return binary.LittleEndian.AppendUint64(nil, pointer.Address())
	}
	switch v.Kind() {
	case reflect.Int32:
		return binary.LittleEndian.AppendUint32(nil, uint32(v.Int()))
	case reflect.Uint32:
		return binary.LittleEndian.AppendUint32(nil, uint32(v.Uint()))
	case reflect.Uint64:
		return binary.LittleEndian.AppendUint64(nil, v.Uint())
	case reflect.Float32:
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v.Float())))
	}
	panic(fmt.Sprintf("gpu: a kernel's parameter cannot be a %v", v.Type()))
}

// Module returns the PTX that a device loads for a kernel, and its name for messages: that
// of a [Sourced] kernel, else what source has for its entry. A driver does not compare
// arguments with parameters, so Module does it for a Sourced kernel. It returns an error if
// the PTX has no such entry, or if the sizes of the parameters are others than those of the
// arguments.
func Module(k Kernel, source func(entry string) (name, text string, err error)) (name, text string, err error) {
	own, ok := k.(Sourced)
	if !ok {
		return source(k.Entry())
	}
	name, text = own.Module()
	sizes, err := parameterSizes(text, k.Entry())
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", name, err)
	}
	arguments := own.Arguments()
	if len(sizes) != len(arguments) {
		return "", "", fmt.Errorf("%s: entry %s has %d parameters, it is called with %d", name, k.Entry(), len(sizes), len(arguments))
	}
	for i, a := range arguments {
		if sizes[i] != len(a) {
			return "", "", fmt.Errorf("%s: parameter %d of entry %s, counted from 0, has %d bytes, it is called with %d", name, i, k.Entry(), sizes[i], len(a))
		}
	}
	return name, text, nil
}

var (
	ptxComment   = regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/`)
	ptxParameter = regexp.MustCompile(`^\s*\.param\b.*?\.[busf](8|16|32|64)\b[^\[]*(?:\[(\d+)\])?\s*$`)
)

// parameterSizes returns the bytes of each parameter of an entry.
func parameterSizes(text, entry string) ([]int, error) {
	match := regexp.MustCompile(`\.entry\s+` + regexp.QuoteMeta(entry) + `\s*(?:\(([^)]*)\))?`).FindStringSubmatch(ptxComment.ReplaceAllString(text, " "))
	if match == nil {
		return nil, fmt.Errorf("the PTX has no entry %s: in CUDA C, declare the kernel as extern \"C\" __global__ void %s(...)", entry, entry)
	}
	if strings.TrimSpace(match[1]) == "" {
		return nil, nil
	}
	var sizes []int
	for _, declared := range strings.Split(match[1], ",") {
		part := ptxParameter.FindStringSubmatch(strings.Join(strings.Fields(declared), " "))
		if part == nil {
			return nil, fmt.Errorf("entry %s has a parameter %q, which is none of PTX", entry, strings.TrimSpace(declared))
		}
		size, _ := strconv.Atoi(part[1])
		if elements, err := strconv.Atoi(part[2]); err == nil {
			size *= elements
		}
		sizes = append(sizes, size/8)
	}
	return sizes, nil
}
