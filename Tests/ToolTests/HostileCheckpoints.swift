import Foundation
import Safetensors
import Tensors
import TestSupport

@testable import CheckpointLedger
@testable import WeightPatch

/// A checkpoint with a file that is damaged, beside others that are whole.
struct HostileCheckpoint: Sendable {
  let name: String
  /// The file, below the folder of the checkpoint.
  let path: String
  let bytes: [UInt8]
  /// Whether nobody may take it for good.
  var mustFail = true
}

/// Checkpoints, ledgers, undo records and journals that are damaged. The same files in every run.
enum HostileCheckpoints {
  // MARK: Weights

  /// A bare file: the specification's base, damaged.
  static func weights() throws -> [HostileCheckpoint] {
    let file = try Array(Data(contentsOf: URL(fileURLWithPath: Samples.root + "/Spec/examples/base.safetensors")))
    let headerCount = Int(file[0]) | Int(file[1]) << 8
    let text = Array(file[8..<8 + headerCount])
    let data = Array(file[(8 + headerCount)...])
    func made(_ name: String, _ bytes: [UInt8], mustFail: Bool = true) -> HostileCheckpoint {
      HostileCheckpoint(name: "weights: \(name)", path: "model.safetensors", bytes: bytes, mustFail: mustFail)
    }
    func header(_ name: String, _ text: String, length: Int? = nil) -> HostileCheckpoint {
      made(name, lengthField(length ?? text.utf8.count) + text.utf8 + data)
    }
    func tensor(_ name: String, dtype: String = #""BF16""#, shape: String = "[3,4]", offsets: String = "[0,24]")
      -> HostileCheckpoint
    {
      header(name, #"{"mlp.down_proj.weight":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}}"#)
    }
    func many(_ count: Int) -> String {
      (0..<count).map { #""\#($0)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"# }.joined(separator: ",")
    }
    var random = SeededGenerator(seed: 2)
    let lengths = [0, 1, 7, 8, 9, 8 + headerCount - 1, 8 + headerCount, 8 + headerCount + 1, file.count - 1]
    let flips = stride(from: 0, to: file.count, by: 9).map { position in
      var changed = file
      changed[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      return made("flipped at \(position)", changed, mustFail: false)
    }
    return lengths.map { made("cut at \($0)", Array(file[..<$0])) } + flips + [
      made("longer", file + [0]), made("zeros", Array(repeating: 0, count: 4096)),
      made("a length of 2^64 - 1", Array(repeating: 0xFF, count: 8) + file.dropFirst(8)),
      made("a length of 2^63", lengthField(Int.min) + file.dropFirst(8)),
      made("a length of 100,000,001", lengthField(100_000_001) + file.dropFirst(8)),
      made("a length that is too long by one", lengthField(headerCount + 1) + file.dropFirst(8)),
      made("a length of 0", lengthField(0) + data),
      made("not UTF-8", lengthField(headerCount) + text.map { $0 == 0x6D ? 0xFE : $0 } + data),
      header("an array", "[]"), header("a number", "1"), header("white space first", " {}"), header("no tensors", "{}"),
      header("deep", #"{"a":"# + String(repeating: "[", count: 1_000_000)),
      header("deep objects", String(repeating: #"{"a":"#, count: 1_000_000)),
      header("many values", #"{"a":["# + String(repeating: "0,", count: 5_000_000) + "0]}"),
      header("many tensors", "{" + many(130_000) + "}"),
      header("a long name", "{\"" + String(repeating: "x", count: 10_000_000) + "\":0}"),
      header("a tensor twice", "{" + many(1) + "," + many(1) + "}"), header("a tensor that is no object", #"{"a":[]}"#),
      header("a name with a slash", #"{"../../x":{"dtype":"BF16","shape":[3,4],"data_offsets":[0,24]}}"#),
      header("a name that moves the cursor", #"{"\u001b[2J":{"dtype":"BF17","shape":[3,4],"data_offsets":[0,24]}}"#),
      header("metadata of numbers", #"{"__metadata__":{"a":1}}"#),
      header("metadata twice", #"{"__metadata__":{},"__metadata__":{}}"#),
      tensor("another dtype", dtype: #""F16""#), tensor("a dtype that is not known", dtype: #""Q4""#),
      tensor("a dtype of text", dtype: "1"),
      tensor("a type that is no weight", dtype: #""I16""#), tensor("another shape", shape: "[4,3]"),
      tensor("one extent", shape: "[12]"),
      tensor("a shape that overflows", shape: "[4294967296,4294967296]"),
      tensor("a shape below zero", shape: "[-3,-4]"),
      tensor("a shape of 2^64", shape: "[18446744073709551616,0]"), tensor("a shape of text", shape: #""3,4""#),
      tensor("a shape of fractions", shape: "[3.0,4]"), tensor("an empty shape", shape: "[]"),
      tensor("a shape of zeros", shape: "[9223372036854775807,0]", offsets: "[0,0]"),
      tensor("offsets reversed", offsets: "[24,0]"), tensor("offsets below zero", offsets: "[-24,0]"),
      tensor("a hole", offsets: "[8,32]"),
      tensor("offsets beyond the end", offsets: "[9223372036854775784,9223372036854775807]"),
      tensor("offsets of 10^30", offsets: "[0,1e30]"),
      tensor("one offset", offsets: "[24]"), tensor("no offsets", offsets: "null"),
    ]
  }

  // MARK: Index

  /// A directory with two shards, `a.safetensors` and `b.safetensors`; the first has the edited tensor.
  static func indices() -> [HostileCheckpoint] {
    func made(_ name: String, _ text: String) -> HostileCheckpoint {
      HostileCheckpoint(name: "index: \(name)", path: "model.safetensors.index.json", bytes: Array(text.utf8))
    }
    func map(_ name: String, _ members: String) -> HostileCheckpoint { made(name, #"{"weight_map":{\#(members)}}"#) }
    func shard(_ name: String, _ file: String) -> HostileCheckpoint { map(name, #""mlp.down_proj.weight":"\#(file)""#) }
    return [
      made("empty", ""), made("null", "null"), made("an array", "[]"), made("no map", "{}"),
      made("a map of text", #"{"weight_map":"a"}"#),
      made("cut", #"{"weight_map":{"mlp"#), made("deep", String(repeating: "[", count: 1_000_000)),
      made("not JSON", "weight_map: a"), map("a number", #""mlp.down_proj.weight":1"#),
      map("a shard in a list", #""mlp.down_proj.weight":["a.safetensors"]"#),
      map("a tensor twice", #""x":"a.safetensors","x":"b.safetensors""#), map("nothing", #""x":"a.safetensors""#),
      map("many tensors", (0..<700_000).map { "\"\($0)\":\"a.safetensors\"" }.joined(separator: ",")),
      map("many shards", (0..<50_000).map { "\"\($0)\":\"\($0).safetensors\"" }.joined(separator: ",")),
      shard("above", "../model.safetensors"), shard("far above", "../../../../etc/passwd"),
      shard("absolute", "/etc/passwd"), shard("itself", "."),
      shard("the parent", ".."), shard("no name", ""), shard("a zero byte", "a.safetensors\\u0000.txt"),
      shard("a device", "/dev/zero"),
      shard("not there", "c.safetensors"), shard("the wrong shard", "b.safetensors"),
      shard("the configuration", "config.json"),
      shard("the index", "model.safetensors.index.json"), shard("a control character", "\\u001b[2J"),
      shard("a long name", String(repeating: "x", count: 100_000)),
      shard("a lone surrogate", "\\udc00"),
    ]
  }

  // MARK: Ledgers

  /// What lies in the ledger of a bare file that carries the specification's example, damaged.
  ///
  /// - Parameter folder: the ledger.
  static func ledgers(like folder: String) throws -> [HostileCheckpoint] {
    let location = try LedgerLocation(
      checkpoint: String(folder.dropLast(LedgerLocation.name.count)), isDirectory: false)
    func contents(_ path: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(fileURLWithPath: path))) }
    func relative(_ path: String) -> String { "model.safetensors.errata" + path.dropFirst(folder.count) }
    let text = try contents(location.manifest.path)
    let json = try JSON.parse(text)
    let identifier = json["patches"]!.arrayValue![0]["id"]!.stringValue!
    let undo = location.undoRecord(of: "mlp.down_proj.weight").path
    let patch = location.patch(Digest(hexadecimal: identifier)!).path
    func ledger(_ name: String, _ bytes: [UInt8], mustFail: Bool = true) -> HostileCheckpoint {
      HostileCheckpoint(
        name: "ledger: \(name)", path: relative(location.manifest.path), bytes: bytes, mustFail: mustFail)
    }
    func ledger(_ name: String, _ text: String) -> HostileCheckpoint { ledger(name, Array(text.utf8)) }
    let replacements: [JSON?] = [
      nil, .null, .integer(-1), .integer(.max), "", "../../x", "\u{1B}[2J", .array([]), .object(JSONObject()),
    ]
    let replaced = json.paths.enumerated().flatMap { index, path in
      replacements.enumerated().map { choice, replacement in
        ledger(
          "value \(index), replacement \(choice)", json.replacing(path[...], with: replacement)!.serialized(),
          mustFail: false)
      }
    }
    let entry = #"{"id":"\#(identifier)","name":"p","applied":"now"}"#
    let other = Digest(of: [7]).description
    let ledgers =
      replaced
      + [0, 1, text.count / 3, text.count / 2, text.count - 3].map { ledger("cut at \($0)", Array(text[..<$0])) } + [
        ledger("deep", String(repeating: "[", count: 1_000_000)),
        ledger("many values", "[" + String(repeating: "0,", count: 5_000_000) + "0]"),
        ledger(
          "many patches",
          #"{"version":1,"tensors":{},"patches":["# + (0..<60_000).map { _ in entry }.joined(separator: ",") + "]}"),
        ledger("not UTF-8", text.map { $0 == UInt8(ascii: "v") ? 0xFF : $0 }),
        ledger(
          "a patch that is not there",
          String(decoding: text, as: UTF8.self).replacingOccurrences(of: identifier, with: other)),
        ledger(
          "another tensor",
          String(decoding: text, as: UTF8.self).replacingOccurrences(
            of: "mlp.down_proj.weight", with: "mlp.up_proj.weight")),
        ledger("version 2", #"{"version":2}"#),
        ledger("a key twice", #"{"version":1,"version":1,"patches":[],"tensors":{}}"#),
      ]
    return ledgers + undoRecords(try contents(undo), relative(undo)) + [
      HostileCheckpoint(name: "its patch: empty", path: relative(patch), bytes: []),
      HostileCheckpoint(name: "its patch: damaged", path: relative(patch), bytes: try contents(patch).map { $0 ^ 1 }),
      HostileCheckpoint(
        name: "its patch: another", path: relative(patch),
        bytes: try contents(Samples.folder + "/eiffel-tower.wpatch")),
    ]
  }

  private static func undoRecords(_ record: [UInt8], _ path: String) -> [HostileCheckpoint] {
    func made(_ name: String, _ bytes: [UInt8], mustFail: Bool = true) -> HostileCheckpoint {
      HostileCheckpoint(name: "undo record: \(name)", path: path, bytes: bytes, mustFail: mustFail)
    }
    func at(_ position: Int, _ value: some FixedWidthInteger) -> [UInt8] {
      var changed = record
      let bytes = withUnsafeBytes(of: value.littleEndian, Array.init)
      changed.replaceSubrange(position..<position + bytes.count, with: bytes)
      return changed
    }
    let lengths = Set([
      0, 1, 12, 16, 20, 24, 32, 36, record.count - 65, record.count - 64, record.count - 32, record.count - 1,
    ])
    let flips = (0..<record.count).filter { $0 % 4 == 1 }.map { position in
      var changed = record
      changed[position] ^= 0x10
      return made("flipped at \(position)", changed, mustFail: false)
    }
    return lengths.sorted().filter { $0 < record.count }.map { made("cut at \($0)", Array(record[..<$0])) } + flips + [
      made("longer", record + [0]), made("version 2", at(12, UInt32(2))), made("dtype 3", at(16, UInt32(3))),
      made("dtype 2^32 - 1", at(16, UInt32.max)),
      made("another dtype", at(16, UInt32(1))), made("chunks of 0", at(20, UInt32(0))),
      made("chunks of 2^32 - 1", at(20, UInt32.max)),
      made("chunks of 1", at(20, UInt32(1))), made("0 elements", at(24, UInt64(0))),
      made("2^48 elements", at(24, UInt64(1) << 48)),
      made("2^47 elements", at(24, UInt64(1) << 47)), made("2^64 - 1 elements", at(24, UInt64.max)),
      made("a stream of 2^32 - 1 bytes", at(32, UInt32.max)),
    ]
  }

  // MARK: Journals

  /// Journals of changes in place that were never begun here: whoever finds one must take them back, or refuse to.
  static func journals() -> [HostileCheckpoint] {
    func file(_ name: String, _ path: String, _ bytes: [UInt8]) -> HostileCheckpoint {
      HostileCheckpoint(name: "journal: \(name)", path: "model.safetensors.errata.change/journal/\(path)", bytes: bytes)
    }
    func journal(_ name: String, _ text: String) -> HostileCheckpoint { file(name, "journal.json", Array(text.utf8)) }
    let digest = Digest(of: []).description
    func change(
      _ name: String, tensor: String = #""mlp.down_proj.weight""#, base: String? = nil, before: String? = nil,
      patches: String = ""
    ) -> HostileCheckpoint {
      journal(
        name,
        #"{"version":3,"patches":[\#(patches)],"changes":[{"tensor":\#(tensor),"base":"\#(base ?? digest)","#
          + #""before":"\#(before ?? digest)"}]}"#)
    }
    return [
      journal("empty", ""), journal("null", "null"), journal("cut", #"{"version":3,"patc"#),
      journal("deep", String(repeating: "[", count: 1_000_000)),
      journal("version 1", #"{"version":1,"keeps_ledger":true,"writes":[]}"#),
      journal("version 2", #"{"version":2,"patches":[],"changes":[]}"#),
      journal("version 4", #"{"version":4,"patches":[],"changes":[]}"#),
      journal("no changes", #"{"version":3,"patches":[]}"#),
      journal("no patches", #"{"version":3,"changes":[]}"#),
      journal("changes of text", #"{"version":3,"patches":[],"changes":"all"}"#),
      journal(
        "many values",
        #"{"version":3,"patches":[],"changes":["# + String(repeating: "0,", count: 5_000_000) + "0]}"),
      journal("a change of text", #"{"version":3,"patches":[],"changes":["all"]}"#),
      journal("an empty change", #"{"version":3,"patches":[],"changes":[{}]}"#),
      journal("a patch that is not there", #"{"version":3,"patches":["\#(digest)"],"changes":[]}"#),
      journal("a patch that is no digest", #"{"version":3,"patches":["../../x"],"changes":[]}"#),
      change("no records"), change("a tensor elsewhere", tensor: #""../victim""#), change("no tensor", tensor: #""""#),
      change("a tensor that is a number", tensor: "1"), change("two tensors", tensor: #"["a","b"]"#),
      change("a name of a megabyte", tensor: "\"" + String(repeating: "x", count: 1 << 20) + "\""),
      change("a name that is no text", tensor: #""\ud800""#), change("a name with a zero byte", tensor: #""\u0000""#),
      change("no digest", base: ""), change("a short digest", before: "00"),
      change("a patch that is a number", patches: "1"),
    ]
  }

  /// Records of chunks in a journal that is whole: `chunks` are those of a change that was interrupted.
  static func chunkRecords(_ chunks: [UInt8]) -> [HostileCheckpoint] {
    func file(_ name: String, _ bytes: [UInt8]) -> HostileCheckpoint {
      HostileCheckpoint(
        name: "records: \(name)", path: "model.safetensors.errata.change/journal/chunks", bytes: bytes)
    }
    var files = [
      file("none", []), file("zeros", Array(repeating: 0, count: 1000)), file("twice", chunks + chunks),
    ]
    for count in stride(from: 1, to: chunks.count, by: max(1, chunks.count / 10)) {
      files.append(file("cut at \(count)", Array(chunks.prefix(count))))
    }
    for index in stride(from: 0, to: chunks.count, by: max(1, chunks.count / 20)) {
      var damaged = chunks
      damaged[index] ^= 0x40
      files.append(file("damaged at \(index)", damaged))
    }
    return files
  }
}
