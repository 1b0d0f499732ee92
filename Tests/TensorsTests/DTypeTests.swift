import Tensors
import Testing

@Suite struct DTypeTests {
  @Test func sizes() {
    #expect(DType.bf16.byteCount(elementCount: 3) == 6)
    #expect(DType.c64.byteCount(elementCount: 3) == 24)
    #expect(DType.bool.byteCount(elementCount: 0) == 0)
    #expect(DType.f4.byteCount(elementCount: 3) == nil)
    #expect(DType.f4.byteCount(elementCount: 4) == 2)
    #expect(DType.f6e2m3.byteCount(elementCount: 4) == 3)
    #expect(DType.f6e3m2.byteCount(elementCount: 6) == nil)
    #expect(DType.allCases.filter(\.isWeightType) == [.f16, .bf16, .f32])
  }

  @Test func sizesThatOverflow() {
    #expect(DType.f64.byteCount(elementCount: .max / 64) == .max / 64 * 8)
    #expect(DType.f64.byteCount(elementCount: .max / 64 + 1) == nil)
    #expect(DType.u8.byteCount(elementCount: .max) == nil)
    #expect(DType.f4.byteCount(elementCount: .max) == nil)
  }

  @Test func shapes() {
    #expect(([] as Shape).elementCount == 1)
    #expect(([576, 1536] as Shape).elementCount == 884_736)
    #expect(([3, 0, 5] as Shape).elementCount == 0)
    #expect(([3, -1] as Shape).elementCount == nil)
    #expect(([0, -1] as Shape).elementCount == nil)
    #expect(([.max] as Shape).elementCount == .max)
    #expect(([.max, 2] as Shape).elementCount == nil)
    #expect(([1 << 32, 1 << 31] as Shape).elementCount == nil)
    #expect(([1 << 31, 1 << 31] as Shape).elementCount == 1 << 62)
    #expect(([576, 1536] as Shape).description == "[576, 1536]")
    #expect(([] as Shape).description == "[]")
  }
}
