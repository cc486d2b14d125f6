"""Image updates, previews, promotion and progressive delivery."""
