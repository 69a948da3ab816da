"""What a chapter shows a learner: quizzes, predictions, exercises, progress, widgets."""
