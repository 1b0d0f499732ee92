import Foundation
import Safetensors
import Tensors
import TestSupport

@testable import WeightPatch

/// Patches that are damaged in every layer: the file, its frames, the header, the manifest, the tensors. The same files
/// in every run.
enum HostilePatches {
  static func all() throws -> [HostileFile] {
    let patch = try Array(Data(contentsOf: URL(fileURLWithPath: Samples.root + "/Spec/examples/example.wpatch")))
    return try cutOff(patch) + flipped(patch) + frames() + bombs() + costs() + headers() + names() + manifests()
      + tensors() + vectors()
  }

  /// The test vectors of the Spec: those that a reader must refuse, and a bit of every few bytes of the others.
  private static func vectors() throws -> [HostileFile] {
    let folder = Samples.root + "/Spec/examples/vectors"
    let expected = try JSON.parse(contentsOf: folder + "/vectors.json").objectValue!
    return try expected.members.flatMap { name, said -> [HostileFile] in
      let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
      if said["refused"] != nil { return [HostileFile(name: "vector \(name)", bytes: bytes)] }
      return stride(from: 24, to: bytes.count - 40, by: 97).compactMap { position in
        var changed = bytes
        changed[position] ^= 0x10
        let damaged = Array(changed.dropLast(40) + PatchContainer.seal(Digest(of: Array(changed.dropLast(40)))))
        // Another way to compress the same content is no damage: its patch ID is that of the vector.
        let identifier = try? damaged.withUnsafeBytes { try PatchReader(bytes: $0, source: "x").check() }
        if let identifier, JSON(identifier.description) == said["patch"] { return nil }
        return HostileFile(name: "vector \(name), flipped at \(position)", bytes: damaged)
      }
    }
  }

  // MARK: The file

  /// Cut at every boundary, and a byte before and after, as it is and with a seal that fits.
  private static func cutOff(_ patch: [UInt8]) -> [HostileFile] {
    var boundaries = [0, 4, 8, PatchContainer.magicFrame.count]
    for frame in ForgedPatch.example.frames() { boundaries.append(boundaries.last! + frame.count) }
    boundaries += [patch.count - 40, patch.count - 36, patch.count - 32]
    let lengths = Set(boundaries.flatMap { [$0 - 1, $0, $0 + 1] }).filter { (0..<patch.count).contains($0) }.sorted()
    let unsealed = lengths.map { HostileFile(name: "cut at \($0)", bytes: Array(patch[..<$0])) }
    let body = patch.count - 40
    return unsealed
      + lengths.filter { (24..<body).contains($0) }.map {
        HostileFile(name: "cut at \($0), sealed", bytes: sealed(Array(patch[24..<$0])))
      } + [
        HostileFile(name: "longer", bytes: patch + [0]), HostileFile(name: "twice", bytes: patch + patch),
        HostileFile(name: "only the seal", bytes: Array(patch.suffix(40))),
      ]
  }

  /// A bit of every few bytes, as it is and with a seal that fits. The checksums of the frames tell.
  private static func flipped(_ patch: [UInt8]) -> [HostileFile] {
    var random = SeededGenerator(seed: 1)
    return stride(from: 0, to: patch.count, by: 29).flatMap { position in
      var changed = patch
      changed[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      let plain = HostileFile(name: "flipped at \(position)", bytes: changed)
      guard (24..<patch.count - 40).contains(position) else { return [plain] }
      return [
        plain,
        HostileFile(name: "flipped at \(position), sealed", bytes: sealed(Array(changed[24..<(patch.count - 40)]))),
      ]
    }
  }

  // MARK: Frames

  private static func frames() -> [HostileFile] {
    let valid = ForgedPatch.example.frames()
    let all = valid.flatMap(\.self)
    let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    func file(_ name: String, _ frames: [UInt8]) -> HostileFile { HostileFile(name: name, bytes: sealed(frames)) }
    func skippable(_ number: UInt32, _ count: Int) -> [UInt8] {
      ZstdFrame.skippable(magicNumber: number, payload: Array(repeating: 7, count: count))
    }
    /// The first frame with another descriptor and what follows it.
    func header(_ descriptor: [UInt8]) -> [UInt8] {
      magic + descriptor + valid[0].dropFirst(7) + valid[1...].flatMap(\.self)
    }
    return [
      file("no frames", []), file("frames in another order", valid.reversed().flatMap(\.self)),
      file("a frame twice", valid[0] + all), file("the last frame missing", valid.dropLast().flatMap(\.self)),
      file("a frame after the last", all + frame([1, 2, 3])),
      file("an empty frame in between", valid[0] + frame([]) + valid[1...].flatMap(\.self)),
      file("100,000 empty frames", all + Array(repeating: frame([]), count: 100_000).flatMap(\.self)),
      file("a skippable frame in between", valid[0] + skippable(0x184D_2A50, 10) + valid[1...].flatMap(\.self)),
      file("a signature in between", valid[0] + skippable(0x184D_2A53, 10) + valid[1...].flatMap(\.self)),
      file("100,000 signatures", all + Array(repeating: skippable(0x184D_2A53, 1), count: 100_000).flatMap(\.self)),
      file("a large signature", all + skippable(0x184D_2A53, 70_000)),
      file("a second magic frame", PatchContainer.magicFrame + all),
      file("a second seal", all + PatchContainer.seal(Digest(of: []))),
      file("a signature longer than the file", all + [0x53, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF]),
      // Frame header descriptors (RFC 8878, 3.1.1.1): content size 1, 2, 4, 8 bytes; no size; window of 3.75 TiB.
      file("a size of zero", header([0x24, 0x00])), file("a size of 255", header([0x24, 0xFF])),
      file("a size of 4 GiB", header([0xA4, 0xFF, 0xFF, 0xFF, 0xFF])),
      file("a size of 2^63", header([0xE4] + lengthField(Int.max))),
      file("a size of 2^64 - 1", header([0xE4] + Array(repeating: 0xFF, count: 8))),
      file("a size that is near the limit", header([0xE4] + lengthField(32 << 20))),
      file("no size, a huge window", header([0x04, 0xFF])),
      file("a size, and a huge window", header([0x84, 0xFF] + lengthField(1704).prefix(4))),
      file("a dictionary", header([0x65, 0x01, 0xA8, 0x05])),
      file("reserved bits", header([0x6C, 0xA8, 0x05])),
      file("only magic numbers", Array(repeating: magic, count: 50).flatMap(\.self)),
      file("a legacy frame", [0x27, 0xB5, 0x2F, 0xFD] + all.dropFirst(4)),
      HostileFile(name: "gzip", bytes: [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]),
      HostileFile(name: "zeros", bytes: Array(repeating: 0, count: 5000)),
    ]
  }

  // MARK: Much from little

  private static func bombs() -> [HostileFile] {
    let size = 31 << 20
    func header(_ name: String, _ text: [UInt8]) -> HostileFile {
      HostileFile(name: name, bytes: sealed(frame(lengthField(text.count) + text)))
    }
    func repeated(_ first: String, _ unit: String, _ last: String) -> [UInt8] {
      let count = (size - first.utf8.count - last.utf8.count) / unit.utf8.count
      return Array(first.utf8) + Array(repeating: Array(unit.utf8), count: count).joined() + Array(last.utf8)
    }
    func members(_ count: Int, _ member: (Int) -> String) -> [UInt8] {
      Array("{\((0..<count).map(member).joined(separator: ","))}".utf8)
    }
    let tensor = #"{"0/w/left":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}}"#
    let near = #"{"0/w/left":{"dtype":"U8","shape":[60000000],"data_offsets":[0,60000000]}}"#
    return [
      header("a header of spaces", repeated("{", " ", "}")),
      header("a header of zeros", repeated(#"{"a":["#, "0,", "0]}")),
      header("a header of arrays", repeated(#"{"a":["#, "[],", "0]}")),
      header("a header of objects", repeated(#"{"a":["#, "{},", "0]}")),
      header("a header of one name", repeated(#"{""#, "x", #"":0}"#)),
      header("a header of brackets", repeated(#"{"a":"#, "[", "")),
      header("a header of members", members(700_000) { #""\#($0)":0"# }),
      header(
        "a header of tensors", members(130_000) { #""\#($0)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"# }),
      header("a manifest of zeros", repeated(#"{"__metadata__":{"wpatch":"{\"a\":["#, "0,", #"0]}"}}"#)),
      header("a manifest of text", repeated(#"{"__metadata__":{"wpatch":"{\"a\":\""#, "x", #"\"}"}}"#)),
      header("a manifest of escapes", repeated(#"{"__metadata__":{"wpatch":""#, "\\u0041", #""}}"#)),
      header("a header over the limit", Array("{".utf8) + Array(repeating: 32, count: 40 << 20) + Array("}".utf8)),
      header("terabytes", Array(tensor.utf8)),
      HostileFile(
        name: "60 MB of zeros",
        bytes: sealed(
          frame(lengthField(near.utf8.count) + near.utf8)
            + (0..<15).flatMap { frame(Array(repeating: 0, count: $0 < 14 ? 4 << 20 : 60_000_000 - 14 * (4 << 20))) })),
    ]
  }

  // MARK: The header

  private static func headers() -> [HostileFile] {
    let example = ForgedPatch.example
    func file(_ name: String, _ old: String, _ new: String) -> HostileFile {
      HostileFile(name: "header: \(name)", bytes: example.replacing(old, new).bytes())
    }
    func text(_ name: String, _ text: [UInt8], length: Int? = nil) -> HostileFile {
      let header = lengthField(length ?? text.count) + text
      return HostileFile(
        name: "header: \(name)", bytes: sealed(([header] + example.tensors).flatMap { frame($0) }))
    }
    let valid = Array(example.header.utf8)
    return [
      text("empty", []), text("a length of 0", valid, length: 0),
      text("a length of one less", valid, length: valid.count - 1),
      text("a length of one more", valid, length: valid.count + 1), text("a length of 2^63 - 1", valid, length: .max),
      text("a length of 2^64 - 1", valid, length: -1), text("an array", Array("[]".utf8)),
      text("no JSON", Array("{]".utf8)),
      text("not UTF-8", valid.map { $0 == UInt8(ascii: "T") ? 0xFF : $0 }), text("a zero byte", valid + [0]),
      text("cut", Array(valid.prefix(600))), text("two", valid + valid), text("no tensors", Array("{}".utf8)),
      file("a name twice", #""0/mlp.down_proj.weight/left""#, #""0/mlp.down_proj.weight/gram""#),
      file("no manifest", #""wpatch""#, #""vpatch""#),
      file("metadata that is no object", #""__metadata__":{"#, #""__metadata__":1,"x":{"#),
      file("a dtype that is not known", #""dtype":"F16""#, #""dtype":"F17""#),
      file("a dtype in lower case", #""dtype":"F16""#, #""dtype":"f16""#),
      file("another dtype", #""dtype":"F16""#, #""dtype":"BF16""#),
      file("another dtype of another size", #""dtype":"F16""#, #""dtype":"F64""#),
      file("a shape below zero", #""shape":[2,4]"#, #""shape":[-2,-4]"#),
      file("another shape", #""shape":[2,4]"#, #""shape":[4,2]"#),
      file("a shape that overflows", #""shape":[2,4]"#, #""shape":[4611686018427387904,4]"#),
      file("a shape that is no integer", #""shape":[2,4]"#, #""shape":[2.0,4]"#),
      file("a shape of 10^30", #""shape":[2,4]"#, #""shape":[1e30,4]"#),
      file("a shape with a zero", #""shape":[2,4]"#, #""shape":[0,4]"#),
      file(
        "many extents", #""shape":[2,4]"#,
        #""shape":[\#(Array(repeating: "1", count: 10_000).joined(separator: ",")),8]"#),
      file("no shape", #""shape":[2,4]"#, #""shade":[2,4]"#),
      file("a shape of text", #""shape":[2,4]"#, #""shape":"[2,4]""#),
      file("overlapping tensors", "\"data_offsets\":[24,48]", "\"data_offsets\":[20,44]"),
      file("a hole", "\"data_offsets\":[24,48]", "\"data_offsets\":[28,52]"),
      file("offsets in the wrong order", "\"data_offsets\":[24,48]", "\"data_offsets\":[48,24]"),
      file("offsets below zero", "\"data_offsets\":[24,48]", "\"data_offsets\":[-24,0]"),
      file("offsets beyond", "\"data_offsets\":[24,48]", "\"data_offsets\":[9223372036854775783,9223372036854775807]"),
      file("three offsets", "\"data_offsets\":[24,48]", "\"data_offsets\":[24,48,48]"),
    ]
  }

  // MARK: Names

  private static func names() -> [HostileFile] {
    let long = String(repeating: "x", count: 1 << 20)
    return [
      "../../etc/passwd", "0/../left", "0//left", "/0/w/left", "0/w/", "0/left", "1/mlp.down_proj.weight/left",
      "-1/w/left",
      "00/w/left", "99999999999999999999/w/left", "18446744073709551616/w/left", "0/w/LEFT", "0/w/gram_exponents",
      "0/w\\u0000/left", "0/w\\n/left", "0/\\u001b[2J/left", "0/\\u007f/left", "0/\\u202etfel/left", "", " ",
      "0/w/left/",
      "0/\(long)/left", "\(long)/w/left",
    ].enumerated().map { index, name in
      let patch = ForgedPatch.example.replacing("\"0/mlp.down_proj.weight/left\"", "\"\(name)\"")
      return HostileFile(name: "name \(index)", bytes: patch.bytes())
    }
  }

  // MARK: The manifest

  /// Every value of the manifest replaced by others, and left out.
  private static func manifests() -> [HostileFile] {
    let manifest = ForgedPatch.manifest
    let replacements: [JSON?] = [
      nil, .null, .bool(true), .integer(-1), .integer(.max), .double(1e308), .double(-0.5), "",
      "\u{1B}[31m\u{202E}../..",
      .array([]), [[]], .object(JSONObject()), .array(Array(repeating: 0, count: 1000)),
    ]
    let replaced = manifest.paths.enumerated().flatMap { index, path in
      // Two for every place, in turn, so that every replacement comes in many places.
      [index % replacements.count, (index * 5 + 3) % replacements.count].map { choice in
        let json = manifest.replacing(path[...], with: replacements[choice])!
        return HostileFile(
          name: "manifest: value \(index), replacement \(choice)",
          bytes: ForgedPatch.example.with(manifest: json).bytes(), mustFail: false)
      }
    }
    func raw(_ name: String, _ text: String) -> HostileFile {
      var patch = ForgedPatch.example
      var object = try! JSON.parse(Array(patch.header.utf8)).objectValue!
      object["__metadata__"] = ["wpatch": JSON(text)]
      patch.header = String(decoding: JSON.object(object).serialized(), as: UTF8.self)
      return HostileFile(name: "manifest: \(name)", bytes: patch.bytes())
    }
    let text = String(decoding: manifest.serialized(), as: UTF8.self)
    return replaced + [
      raw("empty", ""), raw("null", "null"), raw("cut", String(text.prefix(500))), raw("twice", text + text),
      raw("deep", String(repeating: "[", count: 100_000)),
      raw("deep objects", String(repeating: "{\"a\":", count: 100_000)),
      raw("a key twice", text.replacingOccurrences(of: #""author""#, with: #""format""#)),
      raw("a lone surrogate", text.replacingOccurrences(of: "Pluto", with: #"\ud800"#)),
      raw("a huge number", text.replacingOccurrences(of: #""lambda":1.0"#, with: #""lambda":1e999"#)),
      raw("NaN", text.replacingOccurrences(of: #""lambda":1.0"#, with: #""lambda":NaN"#)),
      raw(
        "a number without end",
        text.replacingOccurrences(of: #""lambda":1.0"#, with: "\"lambda\":" + String(repeating: "1", count: 100_000))),
      raw("format 2", text.replacingOccurrences(of: #""format":1"#, with: #""format":2"#)),
      raw("another weight", text.replacingOccurrences(of: "mlp.down_proj.weight", with: "mlp.up_proj.weight")),
    ]
  }

  // MARK: Tensors

  /// Values that are not numbers, with digests that fit.
  private static func tensors() -> [HostileFile] {
    let example = ForgedPatch.example
    func file(_ name: String, tensor: Int, _ bytes: [UInt8]) -> HostileFile {
      var patch = example
      patch.tensors[tensor].replaceSubrange(0..<bytes.count, with: bytes)
      return HostileFile(name: "tensors: \(name)", bytes: patch.withFittingDigest().bytes())
    }
    func double(_ value: Double) -> [UInt8] { withUnsafeBytes(of: value, Array.init) }
    func single(_ value: Float) -> [UInt8] { withUnsafeBytes(of: value, Array.init) }
    var untouched = example
    untouched.tensors[1][0] ^= 1
    return [
      file("NaN in G", tensor: 0, double(.nan)), file("infinity in G", tensor: 0, double(.infinity)),
      file("NaN in A", tensor: 1, single(.nan)), file("infinity in A", tensor: 1, single(-.infinity)),
      file("a signalling NaN in A", tensor: 1, [1, 0, 0x80, 0x7F]), file("infinity in B", tensor: 2, [0, 0x7C]),
      file("NaN in B", tensor: 2, [1, 0x7E]), file("an exponent that overflows", tensor: 3, [127, 127]),
      file("exponents of a large B that overflow", tensor: 3, [120, 120]),
      HostileFile(name: "tensors: another digest", bytes: untouched.bytes()),
      HostileFile(
        name: "tensors: one is shorter",
        bytes: ForgedPatch(header: example.header, tensors: example.tensors.map { Array($0.dropLast()) }).bytes()),
      HostileFile(
        name: "tensors: one is missing",
        bytes: ForgedPatch(header: example.header, tensors: Array(example.tensors.dropLast())).bytes()),
    ]
  }
}

extension ForgedPatch {
  /// With the batch digest that its tensors have now.
  fileprivate func withFittingDigest() -> ForgedPatch {
    let header = try! SafetensorsHeader(bytes: lengthField(self.header.utf8.count) + self.header.utf8, source: "forger")
    let batch = zip(header.tensors, tensors).map { info, bytes in
      BatchTensor(
        name: ByteString(info.name.bytes.dropFirst(2)), dtype: info.dtype, shape: info.shape, bytes: bytes)
    }
    let path: [JSON.Step] = [.key("batches"), .index(0), .key("digest")]
    let manifest = Self.manifest.replacing(path[...], with: JSON(digestOfBatch(batch).description))!
    return with(manifest: manifest)
  }
}
