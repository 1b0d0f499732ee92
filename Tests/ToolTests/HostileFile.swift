import Foundation
import Safetensors
import Tensors
import TestSupport

@testable import WeightPatch

/// A damaged file, and what a tool may say to it.
struct HostileFile: Sendable {
  let name: String
  let bytes: [UInt8]
  /// Whether nobody may take it for good. Some damage, for example to a text, is none that a reader could know of.
  var mustFail = true
}

/// A valid patch taken apart, to be put together again under a fresh seal, whatever was done to it.
struct ForgedPatch {
  /// The JSON text of the header, with the manifest in it.
  var header: String
  /// The tensors' bytes, in the order of the content.
  var tensors: [[UInt8]]

  static let example: ForgedPatch = {
    let reader = try! PatchReader(path: Samples.root + "/Spec/examples/example.wpatch")
    let decompressor = ZstdDecompressor()
    return ForgedPatch(
      header: String(decoding: reader.header.bytes.dropFirst(8), as: UTF8.self),
      tensors: try! reader.header.tensors.map { try reader.bytes(of: $0, decompressor) })
  }()

  static let manifest: JSON = {
    let reader = try! PatchReader(path: Samples.root + "/Spec/examples/example.wpatch")
    return try! JSON.parse(reader.manifestText.bytes)
  }()

  /// The frames of header and tensors.
  func frames() -> [[UInt8]] { ([lengthField(header.utf8.count) + header.utf8] + tensors).map { frame($0) } }

  func bytes() -> [UInt8] { sealed(frames().flatMap(\.self)) }

  /// With another manifest, whose batch digest is that of the tensors as they are.
  func with(manifest: JSON) -> ForgedPatch {
    var object = try! JSON.parse(Array(header.utf8)).objectValue!
    object["__metadata__"] = ["wpatch": .string(ByteString(manifest.serialized()))]
    var copy = self
    copy.header = String(decoding: JSON.object(object).serialized(), as: UTF8.self)
    return copy
  }

  func replacing(_ old: String, _ new: String) -> ForgedPatch {
    precondition(header.contains(old), "the header has no \(old)")
    var copy = self
    copy.header = header.replacingOccurrences(of: old, with: new)
    return copy
  }
}

func lengthField(_ count: Int) -> [UInt8] { withUnsafeBytes(of: Int64(count).littleEndian, Array.init) }

/// A zstd frame as a patch has them.
func frame(_ content: [UInt8]) -> [UInt8] {
  try! content.withUnsafeBytes { try ZstdCompressor(level: 1).frame($0) }
}

/// `frames` between magic frame and seal.
func sealed(_ frames: [UInt8]) -> [UInt8] {
  let body = PatchContainer.magicFrame + frames
  return body + PatchContainer.seal(Digest(of: body))
}

extension JSON {
  /// The paths of all values in it, objects and arrays too, without itself.
  var paths: [[Step]] {
    switch self {
    case .object(let object):
      object.members.flatMap { key, value in
        [[.key(key)]] + value.paths.map { [.key(key)] + $0 }
      }
    case .array(let elements):
      elements.enumerated().flatMap { index, value in
        [[.index(index)]] + value.paths.map { [.index(index)] + $0 }
      }
    default: []
    }
  }

  enum Step {
    case key(ByteString)
    case index(Int)
  }

  /// The value with another in the place of the one at `path`; without it if `replacement` is nil.
  func replacing(_ path: ArraySlice<Step>, with replacement: JSON?) -> JSON? {
    guard let step = path.first else { return replacement }
    switch (self, step) {
    case (.object(let object), .key(let key)):
      var copy = JSONObject()
      for (name, value) in object.members {
        copy[name] = name == key ? value.replacing(path.dropFirst(), with: replacement) : value
      }
      return .object(copy)
    case (.array(let elements), .index(let index)):
      return .array(
        elements.enumerated().compactMap { $0 == index ? $1.replacing(path.dropFirst(), with: replacement) : $1 })
    default: return self
    }
  }
}
