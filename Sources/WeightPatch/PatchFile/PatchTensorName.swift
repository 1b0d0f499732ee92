import Tensors

/// A tensor's name in a patch: `batch/weight/part` (Spec: tensor names).
///
/// The weight's name may contain slashes and dots: the batch ends at the first slash, and the part begins after the
/// last.
struct PatchTensorName: Hashable {
  /// What the tensor is to its batch.
  enum Part: String, CaseIterable {
    case left
    case right
    case gram
    case keys
    case text
    case heldProduct = "held_product"
    case leftExponents = "left_exponents"
    case rightExponents = "right_exponents"
    case keysExponents = "keys_exponents"
    case correction
    case correctionGaps = "correction_gaps"

    /// The part that holds the scale exponents of this one, if it can have any.
    var exponents: Part? {
      switch self {
      case .left: .leftExponents
      case .right: .rightExponents
      case .keys: .keysExponents
      default: nil
      }
    }

    /// The name without its batch: what a batch digest reads.
    func name(ofWeight weight: ByteString) -> ByteString {
      ByteString(weight.bytes + Array("/\(rawValue)".utf8))
    }
  }

  let batch: Int
  let weight: ByteString
  let part: Part

  /// nil if `name` does not follow the grammar.
  init?(_ name: ByteString) {
    let slash = UInt8(ascii: "/")
    guard let first = name.bytes.firstIndex(of: slash), let last = name.bytes.lastIndex(of: slash), first + 1 < last,
      let part = Part(rawValue: String(decoding: name.bytes[(last + 1)...], as: UTF8.self)),
      let batch = Int(String(decoding: name.bytes[..<first], as: UTF8.self)),
      String(batch).utf8.elementsEqual(name.bytes[..<first]), batch >= 0,
      // A control character could end the line that a batch digest reads, or reach a terminal.
      name.bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
    else { return nil }
    self.batch = batch
    self.weight = ByteString(name.bytes[(first + 1)..<last])
    self.part = part
  }

  /// The name in the file of a tensor named without its batch.
  static func name(_ tensor: ByteString, inBatch batch: Int) -> ByteString {
    ByteString(Array("\(batch)/".utf8) + tensor.bytes)
  }
}
