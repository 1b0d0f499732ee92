import Foundation

/// A share for people, in percent: "0.0058%", "15%", "2847%".
///
/// - Parameters:
///   - share: may be very small; "-" if there is none.
///   - digits: how many digits count. All of them are shown of what stands before the point.
public func formatShare(_ share: Double?, digits: Int) -> String {
  guard let share else { return "-" }
  let percent = 100 * share
  let text = String(format: "%.\(digits)g", percent)
  // From here on nobody counts digits.
  guard text.contains("e+"), abs(percent) < 1e15 else { return text + "%" }
  return String(format: "%.0f%%", percent)
}

/// Below a table whose preservations are upper bounds.
public let upperBoundNote =
  "preservation: at most; the patch records its ridge as a share only, and what the ridge has in it cannot be told"
