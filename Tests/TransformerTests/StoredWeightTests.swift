import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite struct StoredWeightTests {
  private static let columns = 3

  /// Rows whose elements are the row's number.
  private func held(_ rows: Range<Int>, _ dtype: DType) -> StoredWeight.Source {
    let elements = rows.flatMap { [Float](repeating: Float($0), count: Self.columns) }
    return .held(elements.withUnsafeBufferPointer { narrow($0, to: dtype) })
  }

  private func panels(
    of weight: StoredWeight, rows: Range<Int>? = nil, columns: Range<Int> = 0..<columns, productRows: Int = 64
  ) -> (panels: [Range<Int>], elements: [Float]) {
    var panels: [Range<Int>] = []
    var elements: [Float] = []
    weight.forEachPanel(rows: rows ?? 0..<weight.rows, columns: columns, productRows: productRows) {
      panel, pointer, stride in
      panels.append(panel)
      for row in 0..<panel.count {
        elements += UnsafeBufferPointer(start: pointer + row * stride, count: columns.count)
      }
    }
    return (panels, elements)
  }

  @Test func panelsCrossTheBordersOfTensors() {
    // Two tensors of different types, the first one's rows in another order than they are stored.
    let first = held(0..<4, .bf16)
    let weight = StoredWeight(
      [
        .init(source: first, dtype: .bf16, rows: 2..<4), .init(source: first, dtype: .bf16, rows: 0..<2),
        .init(source: held(4..<10, .f32), dtype: .f32, rows: 0..<6),
      ], columns: Self.columns, buffers: PanelBuffers(capacity: 0, leastRows: 3))
    let (panels, elements) = panels(of: weight)
    #expect(weight.rows == 10 && panels == [0..<2, 2..<5, 5..<7, 7..<10])
    #expect(elements == [2, 3, 0, 1, 4, 5, 6, 7, 8, 9].flatMap { [Float](repeating: $0, count: Self.columns) })
    let some = self.panels(of: weight, rows: 3..<8)
    #expect(some.panels == [3..<5, 5..<8] && some.elements == Array(elements[9..<24]))
  }

  @Test func panelsOfSomeColumns() {
    let elements = (0..<12).map(Float.init)
    let source = StoredWeight.Source.held(elements.withUnsafeBufferPointer { narrow($0, to: .f16) })
    let weight = StoredWeight(
      [.init(source: source, dtype: .f16, rows: 1..<4)], columns: Self.columns,
      buffers: PanelBuffers(capacity: 0, leastRows: 2))
    let found = panels(of: weight, columns: 1..<3)
    #expect(found.panels == [0..<1, 1..<3] && found.elements == [4, 5, 7, 8, 10, 11])
  }

  @Test func aPanelHoldsAsManyElementsAsItMay() {
    let buffers = PanelBuffers(capacity: 96, leastRows: 16)
    #expect(buffers.height(3, productRows: 64) == 32 && buffers.height(100, productRows: 64) == 16)
    #expect(buffers.height(3, productRows: 63) == 8 && buffers.height(100, productRows: 63) == 2)
  }

  /// A name of one letter more moves the data by a byte, since nothing pads the header.
  @Test(arguments: ["a", "ab", "abc", "abcd"]) func float32OfAnyAlignment(name: String) throws {
    let directory = try TemporaryDirectory()
    let elements: [Float] = (0..<6).map { Float($0) / 7 }
    let header = #"{"\#(name)":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#
    var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8)
    elements.withUnsafeBytes { bytes += $0 }
    try AtomicFile.write(bytes, to: directory("x.safetensors"))
    let tensor = try SafetensorsFile(path: directory("x.safetensors")).tensor(named: ByteString(name))
    let weight = StoredWeight(
      [.init(source: .mapped(tensor), dtype: .f32, rows: 0..<2)], columns: Self.columns, buffers: PanelBuffers())
    #expect(panels(of: weight).elements == elements)
    #expect(panels(of: weight, rows: 1..<2, columns: 1..<3).elements == Array(elements[4..<6]))
  }
}
