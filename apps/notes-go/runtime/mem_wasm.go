// Takes the place of the Go runtime's file of this name (go build -overlay).
//
// The runtime lays its heap from the end of its data upwards, as if nobody else grew the memory. Inside a component the
// preview 1 adapter does: at its first call, which is the runtime's own for random bytes, it takes pages for its state
// and stack, and the heap would grow over them. So here the heap begins where the memory ends when first asked, and
// any growth by another later on is fatal instead of silent.
package runtime

import "unsafe"

var sbrkBegun bool

func sbrk(n uintptr) unsafe.Pointer {
	if end := uintptr(currentMemory()) * physPageSize; end != blocMax {
		if sbrkBegun {
			throw("the memory was grown by another")
		}
		bloc, blocMax = end, end
	}
	sbrkBegun = true
	n = memRound(n)
	begin := bloc
	if begin+n > blocMax {
		if growMemory(int32((begin+n-blocMax)/physPageSize)) < 0 {
			return nil
		}
		resetMemoryDataView()
		blocMax = begin + n
	}
	bloc = begin + n
	return unsafe.Pointer(begin)
}

// Of the runtime's assembly.
func growMemory(pages int32) int32
func currentMemory() int32
