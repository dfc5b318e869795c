"""Plan folders, git, the trees and traces that LAO reads and leaves in them."""
