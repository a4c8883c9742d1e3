package gpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
)

// Arguments returns the parameters of a kernel's CUDA body: its exported fields in
// order, each as the little-endian bytes of its type. The address of a Slice takes 8
// bytes, a number 4 or 8. It panics on a field of another type.
func Arguments(k Kernel) [][]byte {
	v := reflect.Indirect(reflect.ValueOf(k))
	var arguments [][]byte
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			arguments = append(arguments, argument(v.Field(i)))
		}
	}
	return arguments
}

// argument encodes one field.
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
