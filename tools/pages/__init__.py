"""What the pages are made with, pinned: libraries to vendor, TypeScript's checker, axe's rules."""
