import Safetensors
import Tensors
import Testing

@Suite struct HeaderTests {
  /// A file with the given JSON and `dataByteCount` zero bytes of data.
  private func file(_ json: String, dataByteCount: Int = 0) -> [UInt8] {
    withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian, Array.init) + Array(json.utf8)
      + Array(repeating: 0, count: dataByteCount)
  }

  private func parse(_ bytes: [UInt8]) throws -> SafetensorsHeader {
    try bytes.withUnsafeBytes { try SafetensorsHeader(file: $0, source: "x") }
  }

  private func expectError(_ bytes: [UInt8], _ message: String, _ location: SourceLocation = #_sourceLocation) {
    #expect(throws: ErrataError(.damagedInput, message), sourceLocation: location) { try parse(bytes) }
  }

  @Test func readsTensorsInOrderOfData() throws {
    let json = #"""
      {"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"__metadata__":{"format":"pt"},\#
      "a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]},"empty":{"dtype":"I8","shape":[0,9],"data_offsets":[4,4]}}
      """#
    let header = try parse(file(json, dataByteCount: 12))
    #expect(header.tensors.map(\.name) == ["a", "empty", "b"])
    #expect(header.metadata == ["format": "pt"])
    let start = header.bytes.count
    let tensor = try #require(header["b"])
    #expect(tensor.dtype == .f32 && tensor.shape == [2] && tensor.fileRange == start + 4..<start + 12)
    #expect(header["c"] == nil)
    #expect(header.bytes == Array(file(json)))
    #expect(header.fileByteCount == start + 12)
  }

  @Test func readsScalarsAndEmptyFiles() throws {
    #expect(try parse(file("{}")).tensors.isEmpty)
    let header = try parse(file(#"{"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}  "#, dataByteCount: 8))
    #expect(header["s"]?.elementCount == 1)
  }

  @Test func refusesDamagedLengths() {
    expectError([1, 2, 3], "x: 3 bytes are too few for a safetensors file; fetch it again")
    expectError(
      Array(repeating: 0xFF, count: 9),
      "x: the header claims 18446744073709551615 bytes, more than the 100000000 that are allowed; this is not a "
        + "safetensors file, or it is damaged")
    expectError(
      [9, 0, 0, 0, 0, 0, 0, 0, 0x7B], "x: truncated: the header alone needs 17 bytes, the file has 9; fetch it again")
    expectError(
      [0, 0, 0, 0, 0, 0, 0, 0], "x: the header does not begin with '{'; this is not a safetensors file")
  }

  @Test func refusesDamagedJSON() {
    expectError(file(" {}"), "x: the header does not begin with '{'; this is not a safetensors file")
    expectError(file("{"), "x: the header is not valid JSON at byte 1: a key is expected")
    expectError(file(#"{"__metadata__":{"a":1}}"#), "x: __metadata__ is not an object of strings")
    let entry = #"{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#
    expectError(
      file(#"{"a":\#(entry),"a":\#(entry)}"#), "x: the header is not valid JSON at byte 53: duplicate key \"a\"")
  }

  @Test func tellsCanonicallyEquivalentNamesApart() throws {
    let entry = #"{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#
    #expect(try parse(file("{\"\u{E9}\":\(entry),\"e\u{301}\":\(entry)}")).tensors.count == 2)
  }

  @Test func refusesDamagedEntries() {
    func entry(_ dtype: String, _ shape: String, _ offsets: String) -> [UInt8] {
      file(#"{"a":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}}"#)
    }
    expectError(file(#"{"a":1}"#), "x: tensor \"a\": its entry is not an object")
    expectError(entry("1", "[]", "[0,0]"), "x: tensor \"a\": dtype is not a string")
    expectError(entry(#""F33""#, "[]", "[0,0]"), "x: tensor \"a\": unknown dtype \"F33\"")
    for shape in ["[-1]", "[1.5]", "3", "[99999999999999999999]"] {
      expectError(entry(#""F32""#, shape, "[0,0]"), "x: tensor \"a\": shape is not an array of sizes")
    }
    for offsets in ["[0]", "[4,0]", "[-4,0]", "[0,9223372036854775807]", "null"] {
      expectError(
        entry(#""F32""#, "[0]", offsets),
        "x: tensor \"a\": data_offsets is not a pair [begin, end] with begin <= end")
    }
    expectError(
      entry(#""F32""#, "[4294967296,4294967296]", "[0,0]"),
      "x: tensor \"a\": F32 [4294967296, 4294967296] is not a whole, countable number of bytes")
    expectError(
      entry(#""F64""#, "[1152921504606846977]", "[0,8]"),
      "x: tensor \"a\": F64 [1152921504606846977] is not a whole, countable number of bytes")
    expectError(
      entry(#""F4""#, "[3]", "[0,1]"), "x: tensor \"a\": F4 [3] is not a whole, countable number of bytes")
    expectError(
      entry(#""F32""#, "[2]", "[0,4]"), "x: tensor \"a\": dtype and shape need 8 bytes, data_offsets give 4")
  }

  @Test func refusesHolesOverlapsAndWrongEnds() {
    func two(_ begin: Int) -> String {
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"#
        + #""b":{"dtype":"U8","shape":[2],"data_offsets":[\#(begin),\#(begin + 2)]}}"#
    }
    expectError(
      file(two(1), dataByteCount: 3),
      "x: tensor \"b\" begins at data byte 1, but the tensors before it end at 2: they overlap")
    expectError(
      file(two(3), dataByteCount: 5),
      "x: tensor \"b\" begins at data byte 3, but the tensors before it end at 2: there is a hole")
    expectError(
      file(two(2), dataByteCount: 3), "x: truncated: the header describes 117 bytes, the file has 116; fetch it again")
    expectError(file(two(2), dataByteCount: 6), "x: 2 bytes follow the last tensor; fetch the file again")
  }

  @Test func rendersCanonically() throws {
    let declarations = [
      TensorDeclaration(name: "z", dtype: .i8, shape: [3]), TensorDeclaration(name: "b", dtype: .f64, shape: [1]),
      TensorDeclaration(name: "a", dtype: .f64, shape: [2]),
    ]
    let header = try SafetensorsHeader(declaring: declarations, metadata: ["k": "v"], source: "x")
    #expect(header.tensors.map(\.name) == ["a", "b", "z"])
    #expect(header.bytes.count % 8 == 0)
    let expected =
      #"{"__metadata__":{"k":"v"},"a":{"data_offsets":[0,16],"dtype":"F64","shape":[2]},"#
      + #""b":{"data_offsets":[16,24],"dtype":"F64","shape":[1]},"z":{"data_offsets":[24,27],"dtype":"I8","shape":[3]}}"#
    #expect(String(decoding: header.bytes[8...], as: UTF8.self).hasPrefix(expected))
    #expect(header.bytes[(8 + expected.utf8.count)...].allSatisfy { $0 == 0x20 })
    let parsed = try SafetensorsHeader(bytes: header.bytes, source: "x")
    #expect(parsed.tensors == header.tensors && parsed.metadata == header.metadata)
    let reversed = try SafetensorsHeader(declaring: declarations.reversed(), metadata: ["k": "v"], source: "x")
    #expect(reversed.bytes == header.bytes)
  }

  @Test func refusesDeclarationsThatMakeNoFile() {
    func declare(_ declarations: TensorDeclaration...) throws {
      _ = try SafetensorsHeader(declaring: declarations, source: "x")
    }
    let tensor = TensorDeclaration(name: "a", dtype: .i8, shape: [1])
    #expect(throws: ErrataError(.general, "x: tensor \"a\" is declared twice")) { try declare(tensor, tensor) }
    #expect(throws: ErrataError(.general, "x: a tensor cannot be named \"__metadata__\"")) {
      try declare(TensorDeclaration(name: "__metadata__", dtype: .i8, shape: [1]))
    }
    #expect(throws: ErrataError.self) { try declare(TensorDeclaration(name: "a", dtype: .i8, shape: [Int.max])) }
  }
}
