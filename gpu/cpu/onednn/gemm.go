//go:build onednn

package onednn

// #include "onednn.h"
import "C"

import "fmt"

// Gemm computes C = op(A) op(B) in float32 on the calling thread, all row major: op(A) is [m, k], op(B) [k, n], C [m, n]; op
// transposes if asked to. lda, ldb and ldc are the distances between the rows of A, B and C as they lie in memory.
// Several goroutines may call it at once. It panics if an extent is not positive or a slice is too short, and returns an
// error if the library fails (out of memory).
func Gemm(transposeA, transposeB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) error {
	if min(m, n, k) < 1 {
		panic(fmt.Sprintf("onednn: matrix product of [%d, %d] and [%d, %d]", m, k, k, n))
	}
	checkMatrix("A", transposeA, m, k, a, lda)
	checkMatrix("B", transposeB, k, n, b, ldb)
	checkMatrix("C", false, m, n, c, ldc)
	status := C.matrix_product(transpose(transposeA), transpose(transposeB), C.int64_t(m), C.int64_t(n), C.int64_t(k),
		pointer(a), C.int64_t(lda), pointer(b), C.int64_t(ldb), pointer(c), C.int64_t(ldc))
	if status == C.dnnl_success { // before the arguments of the message are allocated
		return nil
	}
	return statusError(status, "matrix product [%d, %d] x [%d, %d]", m, k, k, n)
}

func checkMatrix(name string, transposed bool, rows, columns int, values []float32, stride int) {
	if transposed {
		rows, columns = columns, rows
	}
	if stride < columns || len(values) < (rows-1)*stride+columns {
		panic(fmt.Sprintf("onednn: matrix %s: %d values with %d between rows do not hold %d rows of %d", name, len(values), stride, rows, columns))
	}
}

func transpose(yes bool) C.char {
	if yes {
		return 'T'
	}
	return 'N'
}
