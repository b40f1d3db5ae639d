"""Opinion words, so that sentiment words can be found in texts that nobody marked (SST-2, a table of one's own)."""

POSITIVE = (
    "amazing beautiful best better brilliant captivating charming clever compelling delightful delicate elegant "
    "engaging enjoyable entertaining excellent exciting exquisite fascinating fine fresh fun funny gentle good "
    "gorgeous graceful great happy heartfelt honest hilarious impressive inspired intelligent interesting joyous "
    "likable lively lovely lyrical magnificent marvelous masterful memorable moving nice original perfect pleasant "
    "poignant powerful refreshing remarkable rewarding rich satisfying sensitive sharp smart spectacular splendid "
    "strong stunning superb sweet tender terrific thoughtful thrilling touching warm witty wonderful worthwhile"
).split()

NEGATIVE = (
    "amateurish annoying awful bad banal bland bleak boring clumsy cold confusing contrived crude dead depressing "
    "disappointing dreadful dreary dull dumb empty fails failure flat forced forgettable hollow horrible incoherent "
    "lame lazy lifeless mediocre mess messy miserable muddled numbing pathetic pointless poor predictable "
    "pretentious ridiculous sad shallow silly sloppy slow sluggish stale stupid tedious terrible tired tiresome "
    "trite ugly unfunny uninspired unpleasant waste weak worse worst wretched"
).split()

SENTIMENT_WORDS = dict.fromkeys(POSITIVE, "positive") | dict.fromkeys(NEGATIVE, "negative")
